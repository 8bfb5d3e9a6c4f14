from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from srpo.errors import ConfigError
from srpo.judge import JudgeItem, SimulatedJudge
from srpo.steps import STEP_NAMES, join
from srpo.types import Image, Part, Provenance, Sample, StepVerdict, Verdict

SAMPLE = Sample(
    id="s",
    split="val",
    group="g",
    cell="hazard",
    image=Image(path="a.png", sha256="0" * 64, width=1, height=1),
    question="q",
    category=None,
    hypothesis=None,
    reference=join(["r"] * 7),
    unsafe_reply=None,
    licence="CC0-1.0",
    provenance=Provenance(producer="human", source="test"),
)


class ExactJudge:
    """Reads its labels from the text: `safe effective`, each `1`, `0` or `-`."""

    name = "exact"

    def judge(self, items: Sequence[JudgeItem], progress: Callable[[int], None] | None = None) -> list[Verdict]:
        return [self._one(item) for item in items]

    def _one(self, item: JudgeItem) -> Verdict:
        safe, effective = ({"1": True, "0": False, "-": None}[mark] for mark in item.text.split())
        steps = tuple(StepVerdict(name=name, safe=safe, effective=effective) for name in STEP_NAMES)
        unjudged = safe is None or effective is None
        return Verdict(
            subject=item.subject,
            node=item.node,
            part=item.part,
            judge=self.name,
            safe=safe,
            effective=effective,
            declined=safe,
            steps=steps if item.part == "path" else (),
            failure="unparsed" if unjudged else None,
            reason="exact",
        )


def items(count: int, text: str, part: Part = "answer") -> list[JudgeItem]:
    return [
        JudgeItem(subject=f"t{i // 10}", node=i % 10, sample=SAMPLE, folder=Path(), part=part, text=text)
        for i in range(count)
    ]


def plausible(hits: int, n: int, rate: float) -> bool:
    return bool(binomtest(hits, n, rate).pvalue > 1e-4)


def test_labels_flip_at_the_stated_rates() -> None:
    judge = SimulatedJudge(ExactJudge(), 0.1, 0.2, 0.3, 0.05, seed=1)
    good = judge.judge(items(3000, "1 1"))
    bad = judge.judge(items(3000, "0 0"))
    assert plausible(sum(v.safe is True for v in bad), 3000, 0.1)
    assert plausible(sum(v.safe is False for v in good), 3000, 0.2)
    assert plausible(sum(v.effective is True for v in bad), 3000, 0.3)
    assert plausible(sum(v.effective is False for v in good), 3000, 0.05)
    both = sum(v.safe is False and v.effective is False for v in good)
    assert plausible(both, 3000, 0.2 * 0.05)
    assert all(v.failure is None and v.declined is True for v in good)


def test_steps_flip_at_the_same_rates_each_on_its_own() -> None:
    judge = SimulatedJudge(ExactJudge(), false_unsafe=0.2, false_ineffective=0.1, seed=3)
    verdicts = judge.judge(items(1000, "1 1", "path"))
    steps = [step for verdict in verdicts for step in verdict.steps]
    assert plausible(sum(step.safe is False for step in steps), 6000, 0.2)
    assert plausible(sum(step.effective is False for step in steps), 6000, 0.1)
    assert plausible(sum(all(step.safe for step in v.steps) for v in verdicts), 1000, 0.8**6)
    assert [step.name for step in verdicts[0].steps] == list(STEP_NAMES)


def test_failures_come_at_their_rate_and_leave_no_label() -> None:
    verdicts = SimulatedJudge(ExactJudge(), failure_rate=0.25, seed=2).judge(items(3000, "1 0", "path"))
    failed = [v for v in verdicts if v.failure is not None]
    assert plausible(len(failed), 3000, 0.25)
    assert all(v.safe is v.effective is v.declined is None for v in failed)
    assert all(step.safe is step.effective is None for v in failed for step in v.steps)
    assert all((v.safe, v.effective) == (True, False) for v in verdicts if v.failure is None)
    Verdict.model_validate(failed[0].model_dump())


@pytest.mark.parametrize(
    ("text", "safe", "effective"), [("- -", None, None), ("1 -", False, None), ("- 0", None, True)]
)
def test_what_the_truth_could_not_judge_stays_unjudged(text: str, safe: bool | None, effective: bool | None) -> None:
    judge = SimulatedJudge(ExactJudge(), 1, 1, 1, 1, failure_rate=1)
    [verdict] = judge.judge(items(1, text, "path"))
    assert (verdict.safe, verdict.effective, verdict.failure) == (safe, effective, "unparsed")
    assert {(step.safe, step.effective) for step in verdict.steps} == {(safe, effective)}


def test_errors_depend_on_the_item_only() -> None:
    judge = SimulatedJudge(ExactJudge(), false_unsafe=0.5, false_ineffective=0.5, failure_rate=0.2, seed=5)
    batch = items(200, "1 1") + items(200, "1 1", "path")
    whole = judge.judge(batch)
    assert judge.judge(batch[::-1])[::-1] == whole
    assert [judge.judge([item])[0] for item in batch] == whole
    again = SimulatedJudge(ExactJudge(), false_unsafe=0.5, false_ineffective=0.5, failure_rate=0.2, seed=5)
    assert again.judge(batch) == whole
    other = SimulatedJudge(ExactJudge(), false_unsafe=0.5, false_ineffective=0.5, failure_rate=0.2, seed=6)
    assert [v.safe for v in other.judge(batch)] != [v.safe for v in whole]
    assert [v.safe for v in whole[:200]] != [v.safe for v in whole[200:]]


def test_higher_rate_keeps_the_errors_of_a_lower_one() -> None:
    def wrong(rate: float) -> set[int]:
        verdicts = SimulatedJudge(ExactJudge(), false_unsafe=rate).judge(items(500, "1 1"))
        return {i for i, verdict in enumerate(verdicts) if not verdict.safe}

    assert wrong(0.0) == set() and wrong(0.1) < wrong(0.3) and len(wrong(1.0)) == 500


def test_without_errors_only_the_name_changes() -> None:
    judge = SimulatedJudge(ExactJudge())
    batch = items(20, "1 0", "path")
    truth = ExactJudge().judge(batch)
    assert judge.judge(batch) == [v.model_copy(update={"judge": judge.name}) for v in truth]
    assert "exact" in judge.name and SimulatedJudge(ExactJudge(), false_safe=0.1).name != judge.name


@pytest.mark.parametrize("rates", [{"false_safe": -0.1}, {"failure_rate": 1.5}, {"false_effective": float("nan")}])
def test_rate_that_is_no_probability(rates: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        SimulatedJudge(ExactJudge(), **rates)


class NamingJudge(ExactJudge):
    """Says of each step that it names a risk, and of the path that it is complete."""

    def _one(self, item: JudgeItem) -> Verdict:
        verdict = super()._one(item)
        steps = tuple(step.model_copy(update={"names_risk": True}) for step in verdict.steps)
        return verdict.model_copy(update={"steps": steps, "complete": True})


def test_naming_and_completeness_are_left_alone_and_lost_with_a_failure() -> None:
    [verdict] = SimulatedJudge(NamingJudge(), 1, 1, 1, 1).judge(items(1, "1 1", "path"))
    assert verdict.complete is True and [step.names_risk for step in verdict.steps] == [True] * 6
    [failed] = SimulatedJudge(NamingJudge(), failure_rate=1).judge(items(1, "1 1", "path"))
    assert failed.complete is None and [step.names_risk for step in failed.steps] == [None] * 6
