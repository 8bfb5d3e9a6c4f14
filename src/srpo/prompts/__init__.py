"""Texts for models, one file per role; declared placeholders, no logic."""

from importlib import resources


def load_prompt(name: str) -> str:
    """The text of `srpo/prompts/<name>.txt`, without its final line break."""
    return resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
