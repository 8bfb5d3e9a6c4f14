"""What a prefix is worth and what a step of the reference path earns, from the outcomes of sampled branches.

The value of a prefix is the share of favourable branches among those that are favourable or unfavourable.  The credit
of step i is the value after it minus the value before it; after the last step the reference is complete, and its value
is 1.  Values are unbiased under a fixed budget only: a budget that stops when it has seen enough also decides which
rates are seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from srpo.stats import Interval, wilson
from srpo.types import Outcome


@dataclass(frozen=True)
class Value:
    """Favourable rate of a prefix, with Wilson's interval; none if no branch was decided."""

    favourable: int
    decided: int

    @property
    def rate(self) -> float | None:
        return self.favourable / self.decided if self.decided else None

    @property
    def smoothed(self) -> float:
        """Posterior mean under Jeffreys' prior: 0.5 without branches."""
        return (self.favourable + 0.5) / (self.decided + 1)

    @property
    def interval(self) -> Interval | None:
        return wilson(self.favourable, self.decided)


@dataclass(frozen=True)
class Credit:
    """Difference of two values, with Newcombe's interval; none where a value has no branches."""

    difference: float | None
    interval: Interval | None


def value_of(outcomes: Sequence[Outcome]) -> Value:
    """Value of the prefix whose branches have these outcomes; neutral and missing ones do not count."""
    favourable, unfavourable = outcomes.count("favourable"), outcomes.count("unfavourable")
    return Value(favourable, favourable + unfavourable)


def step_credits(values: Sequence[Value]) -> list[Credit]:
    """Credit of each step of the reference path; `values[i]` is that of the first i steps."""
    return [credit(before, after) for before, after in zip(values, [*values[1:], None], strict=True)]


def credit(before: Value, after: Value | None) -> Credit:
    """Value after a step minus value before it; `after` is none for the last step, whose value is 1 exactly.

    Interval: Newcombe, Statistics in Medicine 17 (1998), method 10, from the Wilson intervals of the two rates.
    """
    if before.rate is None or before.interval is None:
        return Credit(None, None)
    if after is None:
        return Credit(1 - before.rate, Interval(1 - before.interval.high, 1 - before.interval.low))
    if after.rate is None or after.interval is None:
        return Credit(None, None)
    difference = after.rate - before.rate
    down = math.hypot(after.rate - after.interval.low, before.interval.high - before.rate)
    up = math.hypot(after.interval.high - after.rate, before.rate - before.interval.low)
    return Credit(difference, Interval(difference - down, difference + up))


def credit_weights(values: Sequence[Value]) -> list[float]:
    """Weight of the contrasts of each prefix: the smoothed credit of what comes next, 0 if it is negative.

    A branch that fails at a prefix whose next reference step raises the value has failed where the reference did not.
    Before a step of no credit the outcome is decided elsewhere, and a contrast there is mostly chance.  A prefix
    without branches is passed over: the credit then is that of all steps up to the next one that has some.
    """
    weights: list[float] = []
    after = 1.0
    for value in reversed(values):
        weights.append(max(0.0, after - value.smoothed) if value.decided else 0.0)
        after = value.smoothed if value.decided else after
    return weights[::-1]
