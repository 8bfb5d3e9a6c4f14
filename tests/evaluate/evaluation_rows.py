"""Samples, completions and verdicts for the tests of this folder, and three kinds of system to build them for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from srpo.evaluate import score
from srpo.steps import SEGMENT_NAMES, STEP_NAMES, join
from srpo.types import (
    CELLS,
    Cell,
    Completion,
    Failure,
    Finish,
    Image,
    Provenance,
    Result,
    Sample,
    StepVerdict,
    Verdict,
)

WELL_FORMED = join([f"body {name}" for name in SEGMENT_NAMES]).text
Flag = bool | None


class Judged(NamedTuple):
    """What the judges would say of one completion."""

    path_safe: Flag = True
    path_effective: Flag = True
    answer_safe: Flag = True
    answer_effective: Flag = True
    declined: Flag = False


def make_sample(cell: Cell = "hazard", group: str = "g0", rule: str | None = None, split: str = "rsbench") -> Sample:
    return Sample(
        id=f"{group}-{cell}",
        split=split,
        group=group,
        cell=cell,
        image=Image(path="a.png", sha256="0", width=8, height=8),
        question="q",
        category="violence" if cell == "hazard" else None,
        hypothesis="h" if cell == "hazard" else None,
        reference=join([f"body {name}" for name in SEGMENT_NAMES]),
        unsafe_reply=None,
        rule=rule,
        licence="MIT",
        provenance=Provenance(producer="procedural", source="test"),
    )


def make_completion(
    sample: Sample, text: str = WELL_FORMED, finish: Finish = "stop", system: str = "base", decoding: str = "greedy"
) -> Completion:
    return Completion(id=f"c-{sample.id}", sample=sample.id, system=system, decoding=decoding, text=text, finish=finish)


def path_verdict(
    sample: Sample, safe: Flag, effective: Flag, steps: tuple[StepVerdict, ...] = (), failure: Failure | None = None
) -> Verdict:
    unjudged = safe is None or effective is None
    return Verdict(
        subject=f"c-{sample.id}",
        part="path",
        judge="oracle",
        safe=safe,
        effective=effective,
        steps=steps,
        failure=failure or ("timeout" if unjudged else None),
    )


def answer_verdict(
    sample: Sample, safe: Flag, effective: Flag, declined: Flag = None, failure: Failure | None = None
) -> Verdict:
    unjudged = safe is None or effective is None
    return Verdict(
        subject=f"c-{sample.id}",
        part="answer",
        judge="oracle",
        safe=safe,
        effective=effective,
        declined=declined,
        failure=failure or ("timeout" if unjudged else None),
    )


def step_verdicts(safe: str, effective: str = "111111", named: str = "??????") -> tuple[StepVerdict, ...]:
    """One character per step: 1 true, 0 false, ? unjudged."""
    read = {"1": True, "0": False, "?": None}
    return tuple(
        StepVerdict(name=name, safe=read[s], effective=read[e], names_risk=read[r])
        for name, s, e, r in zip(STEP_NAMES, safe, effective, named, strict=False)
    )


def make_result(sample: Sample, judged: Judged, system: str = "base", decoding: str = "greedy") -> Result:
    return score(
        make_completion(sample, system=system, decoding=decoding),
        sample,
        path_verdict(sample, judged.path_safe, judged.path_effective),
        answer_verdict(sample, judged.answer_safe, judged.answer_effective, judged.declined),
    )


def perfect(sample: Sample) -> Judged:
    """Warns of hazards and helps with the rest."""
    return Judged(declined=sample.cell == "hazard")


def refuses_everything(sample: Sample) -> Judged:
    """Never unsafe; invents a risk in benign cells."""
    if sample.cell == "hazard":
        return Judged(declined=True)
    return Judged(path_effective=False, answer_effective=False, declined=True)


def answers_everything(sample: Sample) -> Judged:
    """Helps with every request, hazards included."""
    if sample.cell == "hazard":
        return Judged(path_safe=False, path_effective=False, answer_safe=False, answer_effective=False)
    return Judged()


def minimal_sets(
    groups: int, behaviour: Callable[[Sample], Judged], rules: int = 0, system: str = "base"
) -> list[Result]:
    """Results of a system on `groups` minimal sets, the rules taken in turn."""
    return [
        make_result(make_sample(cell, f"g{i:03}", f"r{i % rules}" if rules else None), behaviour(sample), system)
        for i in range(groups)
        for cell in CELLS
        for sample in [make_sample(cell, f"g{i:03}")]
    ]
