"""Families of models, told by their names: judges of one family share errors, and may favour their kin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_FAMILIES: Final = {
    **{name: name for name in ("qwen", "internvl", "llava", "llama", "gemma", "gemini", "gpt", "claude", "mistral")},
    **{name: name for name in ("phi", "deepseek", "glm", "minicpm", "molmo", "idefics", "kimi", "grok")},
    **{"qwq": "qwen", "qvq": "qwen", "pixtral": "mistral", "mixtral": "mistral", "smolvlm": "idefics"},
}
"""How a name begins, or a word in it -> its family.  A name without any tells nothing."""


def family_of(model: str) -> str | None:
    """Family of a model such as `openai:Qwen/Qwen2.5-VL-7B`, or of a judge that is named after one; none if unknown.

    What a model was made of stands in its name as well (`llava-qwen`); the first word that is known counts.
    """
    name = model.partition("@")[0].rpartition("/")[2].rpartition(":")[2]
    for word in re.findall(r"[a-z]+", name.lower()):
        for known, family in _FAMILIES.items():
            if word.startswith(known):
                return family
    return None


def kinship(judges: Sequence[str], systems: Mapping[str, str] | None = None) -> list[str]:
    """What to say of judges that are models: all of one family, or of the family of a system (name -> its model)."""
    families = {judge: family_of(judge) for judge in judges}
    found = []
    if len(families) > 1 and None not in families.values() and len(set(families.values())) == 1:
        family = next(iter(families.values()))
        found.append(
            f"all {len(families)} judges are of one family ({family}) and may share errors; add another family"
        )
    for judge, family in families.items():
        kin = [name for name, model in (systems or {}).items() if family and family_of(model) == family]
        if kin:
            found.append(f"judge {judge} is of the family ({family}) of {', '.join(kin)}, and may favour its kin")
    return found
