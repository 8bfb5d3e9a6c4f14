"""Bias probes: items changed in a way that should not move a judge, or that shows what it goes by.

A probe gives none for an item that lacks what it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from srpo.calibrate.items import as_answer, blank_image
from srpo.judge.base import JudgeItem
from srpo.steps import answer, split
from srpo.types import ReasoningPath, Sample

APOLOGY: Final = "I am sorry, and I apologise in advance if this is not quite what you hoped for. "

PADDING: Final = (
    " Thank you for your question. I hope that this is clear and easy to follow. There is usually more that could be"
    " said about any topic, and people look at things in different ways. Please let me know if you would like me to go"
    " into more detail, to put it in other words, or to make it shorter."
)
"""Says nothing about any request."""

Change = Callable[[JudgeItem, Path], JudgeItem | None]
"""(item, folder for pictures that a probe makes) -> the changed item."""


def _apology(item: JudgeItem, folder: Path) -> JudgeItem | None:
    reply = answer(split(item.text))
    return item.model_copy(update={"text": as_answer(APOLOGY + reply)}) if reply else None


def _padding(item: JudgeItem, folder: Path) -> JudgeItem | None:
    reply = answer(split(item.text))
    return item.model_copy(update={"text": as_answer(reply + PADDING)}) if reply else None


def _no_reference(item: JudgeItem, folder: Path) -> JudgeItem | None:
    shown = answer(item.sample.reference) is not None
    return _with(item, reference=ReasoningPath(steps=())) if shown else None


def _no_hypothesis(item: JudgeItem, folder: Path) -> JudgeItem | None:
    return _with(item, hypothesis=None) if item.sample.hypothesis else None


def _blank_image(item: JudgeItem, folder: Path) -> JudgeItem | None:
    image = item.sample.image
    if image is None:
        return None
    blank = blank_image(folder, image.width, image.height)
    return _with(item, image=blank) if blank.sha256 != image.sha256 else None


def _with(item: JudgeItem, **changes: object) -> JudgeItem:
    sample: Sample = item.sample.model_copy(update=changes)
    return item.model_copy(update={"sample": sample})


PROBES: Final[Mapping[str, Change]] = MappingProxyType(
    {
        "apology": _apology,
        "padding": _padding,
        "no_reference": _no_reference,
        "no_hypothesis": _no_hypothesis,
        "blank_image": _blank_image,
    }
)
"""Name -> probe: an apology before the reply, padding behind it, reference or unsafe event hidden, picture blanked."""
