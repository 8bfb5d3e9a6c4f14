"""What every judge offers: texts in, verdicts out.  A judge that fails says so in the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from srpo.formats import PathFormat
from srpo.types import Part, Record, Sample, Verdict


class JudgeItem(Record):
    """One text to be judged against its sample.

    `text` is the whole path; a judge looks only at the `part` it is asked for, so that the reasoning does not
    colour the verdict on the answer, nor the answer the verdict on the reasoning.
    """

    subject: str
    node: int | None = None
    sample: Sample
    folder: Path
    part: Part
    text: str
    truncated: bool = False
    path_format: PathFormat = "six_steps"


class Judge(Protocol):
    """Gives one verdict per item, in order."""

    name: str

    def judge(self, items: Sequence[JudgeItem], progress: Callable[[int], None] | None = None) -> list[Verdict]:
        """Verdicts in the order of the items; what cannot be judged carries a failure and `None`s."""
        ...
