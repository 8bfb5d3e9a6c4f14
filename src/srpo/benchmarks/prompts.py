"""Templates of questions to judges: ours, or a user's in their place, checked before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from srpo.benchmarks.base import Ask, Protocol
from srpo.benchmarks.read import read_text
from srpo.errors import DataError, JudgeError
from srpo.prompts.fill import fill, placeholders

ALIASES: Final[Mapping[str, str]] = {
    "response": "answer",
    "prediction": "answer",
    "query": "question",
    "explanation": "risk",
    "risk_summary": "risk",
    "reasoning_thinking": "reasoning",
    "safety_label": "known",
}
"""Placeholders of the authors' own prompts -> ours."""

_JUDGED: Final = ("answer", "reasoning")
"""A template that does not show what ours shows of these would have the judge label what it has not seen."""


def read_prompts(path: Path) -> dict[str, str]:
    """A user's templates from a YAML file: name of a question -> text, as for `BenchmarkJudge(prompts=...)`.

    Raises DataError if the file is anything else.
    """
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise DataError(
            f"{path}: not YAML ({str(error).splitlines()[0]}); give a mapping from question to text"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise DataError(f"{path}: expected a mapping from the name of a question to its text, got something else")
    return found


def check_prompts(protocol: Protocol, prompts: Mapping[str, str]) -> None:
    """Raises JudgeError if a template is for no question of the protocol, or does not fit its question.

    It may hold the placeholders of our template for that question, under our names or the authors', and must hold the
    answer or the reasoning, whichever is judged.
    """
    for name, text in prompts.items():
        if name not in protocol.prompts:
            known = ", ".join(protocol.prompts) or "none"
            raise JudgeError(f"protocol {protocol.name}: no question {name!r} to replace, known are: {known}")
        _check(f"protocol {protocol.name}, prompt for {name!r}", text, placeholders(protocol.prompts[name]))


def _check(place: str, text: str, ours: set[str]) -> None:
    allowed = ours | {alias for alias, name in ALIASES.items() if name in ours}
    found = placeholders(text)
    unknown = sorted(found - allowed)
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in sorted(allowed))
        raise JudgeError(f"{place}: unknown placeholder {{{unknown[0]}}}; there are {names}")
    missing = [name for name in _JUDGED if name in ours and name not in {ALIASES.get(one, one) for one in found}]
    if missing:
        raise JudgeError(f"{place}: the judge would not see what it judges; put {{{missing[0]}}} into it")


def render(ask: Ask, template: str) -> str:
    """The template with the values of the question, under our names and the authors'."""
    named = {alias: ask.values[name] for alias, name in ALIASES.items() if name in ask.values}
    return fill(template, {**named, **ask.values})
