"""Templates to texts: values go in as they are, behind a fence that none of them can close."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final, NamedTuple

from srpo.records import content_id

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_FENCE: Final = "{fence}"
_CODE: Final = re.compile("[0-9a-f]{16}")


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


def unfill(template: str, text: str) -> dict[str, str | None] | None:
    """The values with which `fill` has made this text of the template; none if it did not.

    A placeholder whose paragraph was left out has the value none.  That is exact for templates that announce their
    fence before the first value, have a fence between any two values, and at most one value in a paragraph that can be
    left out; values that are in no placeholder cannot be found.  Raises ValueError for other templates.
    """
    forms = _forms(template)
    head = forms[0].pieces[0].before
    code = _CODE.match(text, len(head)) if text.startswith(head) and len(forms[0].pieces) > 1 else None
    parts = text.split(code[0]) if code else [text]
    for form in forms:
        if len(form.pieces) == len(parts):
            found = [piece.read(part) for piece, part in zip(form.pieces, parts, strict=True)]
            if None not in found:
                named = (value for value in found if value)
                return {name: None for name in form.absent} | dict(named)
    return None


class _Piece(NamedTuple):
    """A stretch of a template between two fences; it holds one placeholder or none."""

    before: str
    name: str | None = None
    after: str = ""

    def read(self, part: str) -> tuple[str, str] | tuple[()] | None:
        """Name and value, nothing if it has no placeholder, or none if the words are others."""
        if self.name is None:
            return () if part == self.before else None
        end = len(part) - len(self.after)
        fits = len(self.before) <= end and part.startswith(self.before) and part.endswith(self.after)
        return (self.name, part[len(self.before) : end]) if fits else None


class _Form(NamedTuple):
    """A template without the paragraphs of some placeholders."""

    absent: tuple[str, ...]
    pieces: tuple[_Piece, ...]


@lru_cache(maxsize=64)
def _forms(template: str) -> tuple[_Form, ...]:
    """All forms in which a template can be filled, the longest first."""
    names = sorted(placeholders(template) - {"fence"})
    found: list[_Form] = []
    for count in range(len(names) + 1):
        for absent in combinations(names, count):
            paragraphs = [text for text in template.split("\n\n") if not any(f"{{{name}}}" in text for name in absent)]
            left = "\n\n".join(paragraphs)
            if placeholders(left) - {"fence"} == set(names) - set(absent):
                found.append(_Form(absent, tuple(_piece(part) for part in left.split(_FENCE))))
    if found[0].pieces[0].name is not None:
        raise ValueError(f"a value stands before the first fence in the template {template[:60]!r}")
    return tuple(found)


def _piece(part: str) -> _Piece:
    words = _PLACEHOLDER.split(part)
    if len(words) > 3:
        raise ValueError(f"two values stand between two fences of a template: {words[1]} and {words[3]}")
    return _Piece(*words)
