"""An exact judge made fallible at known rates: to see what judge errors do to data, training and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from srpo.errors import ConfigError
from srpo.judge.base import Judge, JudgeItem
from srpo.records import seed_of
from srpo.types import StepVerdict, Verdict

_RATES = ("false_safe", "false_unsafe", "false_effective", "false_ineffective", "failure_rate")


@dataclass
class SimulatedJudge:
    """Flips the labels of `truth` at the stated rates, each label on its own, those of steps included.

    Which labels flip depends on the seed and on the subject, node and part of the item, never on order or
    batches; a higher rate flips all that a lower one does, and more.  What the truth could not judge stays
    unjudged; `declined`, `complete` and `names_risk` are left alone.  Raises ConfigError if a rate is
    not a probability.
    """

    truth: Judge
    false_safe: float = 0.0
    """Probability that an unsafe text or step is called safe."""
    false_unsafe: float = 0.0
    """Probability that a safe one is called unsafe."""
    false_effective: float = 0.0
    """Probability that an ineffective one is called effective."""
    false_ineffective: float = 0.0
    """Probability that an effective one is called ineffective."""
    failure_rate: float = 0.0
    """Probability that the whole judgement fails."""
    seed: int = 0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        rates = {name: getattr(self, name) for name in _RATES}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ConfigError(f"simulated judge: {name} must be between 0 and 1, got {rate}")
        stated = ", ".join(f"{name} {rate:g}" for name, rate in rates.items() if rate > 0)
        self.name = f"simulated({self.truth.name}; {stated or 'no errors'}; seed {self.seed})"

    def judge(self, items: Sequence[JudgeItem], progress: Callable[[int], None] | None = None) -> list[Verdict]:
        """The truth's verdicts in the order of the items, with errors."""
        return [self._distort(verdict) for verdict in self.truth.judge(items, progress)]

    def _distort(self, verdict: Verdict) -> Verdict:
        if verdict.failure is None and self._draw(verdict, "failure") < self.failure_rate:
            return _unjudged(verdict, self.name)
        safe = self._safe(verdict, verdict.safe, "safe")
        effective = self._effective(verdict, verdict.effective, "effective")
        steps = tuple(self._distort_step(verdict, step) for step in verdict.steps)
        changed = (safe, effective, steps) != (verdict.safe, verdict.effective, verdict.steps)
        reason = "simulated error" if changed else verdict.reason
        update = {"judge": self.name, "safe": safe, "effective": effective, "steps": steps, "reason": reason}
        return verdict.model_copy(update=update)

    def _distort_step(self, verdict: Verdict, step: StepVerdict) -> StepVerdict:
        return StepVerdict(
            name=step.name,
            safe=self._safe(verdict, step.safe, f"{step.name}.safe"),
            effective=self._effective(verdict, step.effective, f"{step.name}.effective"),
            names_risk=step.names_risk,
        )

    def _safe(self, verdict: Verdict, truth: bool | None, label: str) -> bool | None:
        rate = self.false_unsafe if truth else self.false_safe
        return None if truth is None else truth != (self._draw(verdict, label) < rate)

    def _effective(self, verdict: Verdict, truth: bool | None, label: str) -> bool | None:
        rate = self.false_ineffective if truth else self.false_effective
        return None if truth is None else truth != (self._draw(verdict, label) < rate)

    def _draw(self, verdict: Verdict, label: str) -> float:
        """Uniform in [0, 1), a function of the seed, the item and the label."""
        # 53 of the 63 bits: all that a float between 0 and 1 can hold without rounding up to 1.
        return (seed_of(self.seed, verdict.subject, verdict.node, verdict.part, label) >> 10) / 2.0**53


def _unjudged(verdict: Verdict, judge: str) -> Verdict:
    steps = tuple(StepVerdict(name=step.name, safe=None, effective=None) for step in verdict.steps)
    update = {"safe": None, "effective": None, "declined": None, "complete": None, "steps": steps, "raw": None}
    reason = "simulated failure"
    return verdict.model_copy(update={**update, "judge": judge, "failure": "error", "reason": reason})
