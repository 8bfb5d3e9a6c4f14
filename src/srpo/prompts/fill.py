"""Templates to texts: values go in as they are, behind a fence that none of them can close."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from srpo.records import content_id

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


def placeholders(template: str) -> set[str]:
    """Names in braces."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str | None]) -> str:
    """The template with each `{name}` of `values` replaced by its text, and `{fence}` by a code that no text holds.

    One pass, so that braces inside a value stay what they are; braces around other words stay too.  A paragraph whose
    placeholder has the value none is left out.
    """
    known = {name: value for name, value in values.items() if value is not None}
    absent = {f"{{{name}}}" for name in values.keys() - known.keys()}
    paragraphs = [text for text in template.split("\n\n") if not any(name in text for name in absent)]
    filled = known | {"fence": fence(list(known.values()))}
    return _PLACEHOLDER.sub(lambda match: filled.get(match[1], match[0]), "\n\n".join(paragraphs))


def fence(texts: Sequence[str]) -> str:
    """A code that stands in none of the texts and depends on all, so that none of them can close its block."""
    code = content_id("fence", *texts)
    while any(code in text for text in texts):
        code = content_id(code, *texts)
    return code
