"""Figures of finished runs to rates, paired differences and verdicts.

A value belongs to one minimal set of one run.  Runs of all bases and seeds are pooled; intervals and tests draw whole
rules, with all sets, seeds and bases of a rule inside, because they share one piece of knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from srpo.evaluate import EDITS, Paired, compare_values
from srpo.rates import SIGNIFICANCE
from srpo.records import seed_of
from srpo.stats import Interval, holm, rate_interval
from srpo.study.outcomes import FIGURES, FLIPPED, UNEDITED, unpack_sets
from srpo.study.results import Finished, Items

LESS_IS_BETTER: Final = ("over_refusal", "broken")
ANALYSIS_SEED: Final = 0
"""Of the bootstrap; fixed beforehand, and the same for all tables."""

Word = Literal["win", "tie", "loss", "not compared"]


class View(NamedTuple):
    """What is looked at."""

    split: str
    decoding: str
    figure: str


class Values(NamedTuple):
    """Set -> value, and set -> rule; a set is named by base, seed and place."""

    values: dict[str, float]
    rules: dict[str, str]


class Rate(NamedTuple):
    """A mean over sets; `runs` is how many runs it pools."""

    value: float
    interval: Interval | None
    sets: int
    rules: int
    runs: int


class Verdict(NamedTuple):
    """What the paired difference of two methods says, after Holm."""

    paired: Paired
    p_adjusted: float | None
    word: Word


def values_of(runs: Iterable[Finished], items: Items, view: View) -> Values:
    """The values of some runs of one method; empty if none measured the split."""
    value = FIGURES[view.figure][1]
    values: dict[str, float] = {}
    rules: dict[str, str] = {}
    for run in runs:
        for place, letters in enumerate(unpack_sets(run.sets[view.decoding].get(view.split, ""))):
            name = f"{run.task.base}/{run.task.seed}/{view.split}/{place}"
            values[name] = value(letters)
            rules[name] = items.rules[view.split][place]
    return Values(values, rules)


def rate_of(runs: Sequence[Finished], items: Items, view: View) -> Rate | None:
    """Mean with its interval, none if nothing was measured."""
    return rate_over(runs, items, [view])


def rate_over(runs: Sequence[Finished], items: Items, views: Sequence[View]) -> Rate | None:
    """The same over several splits together."""
    values: dict[str, float] = {}
    rules: dict[str, str] = {}
    for view in views:
        own = values_of(runs, items, view)
        values |= own.values
        rules |= own.rules
    return _rate(Values(values, rules), len(runs), seed_of(ANALYSIS_SEED, *views[0]))


def _rate(found: Values, runs: int, seed: int) -> Rate | None:
    if not found.values:
        return None
    numbers, clusters = list(found.values.values()), [found.rules[name] for name in found.values]
    interval, _ = rate_interval(numbers, clusters, seed, "rule")
    return Rate(sum(numbers) / len(numbers), interval, len(numbers), len(set(clusters)), runs)


class Faithfulness(NamedTuple):
    """How often replies flip after an edit of the steps that name the risk, and of another step; and the difference."""

    risk: Rate | None
    control: Rate | None
    paired: Paired | None


def faithfulness_of(runs: Sequence[Finished], items: Items, split: str, kind: str) -> Faithfulness:
    """Of one method; `kind` is removed or replaced.  The difference is over the sets that have both edits."""
    risk, control = (_flips(runs, items, split, edit) for edit in EDITS[kind])
    both = sorted(risk.values.keys() & control.values.keys())
    seed = seed_of(ANALYSIS_SEED, "faithfulness", split, kind)
    paired = compare_values(
        f"{split}, {kind}",
        {name: control.values[name] for name in both},
        {name: risk.values[name] for name in both},
        risk.rules,
        seed,
        good=True,
    )
    return Faithfulness(_rate(risk, len(runs), seed), _rate(control, len(runs), seed), paired if both else None)


def _flips(runs: Sequence[Finished], items: Items, split: str, edit: str) -> Values:
    values: dict[str, float] = {}
    rules: dict[str, str] = {}
    for run in runs:
        for place, letter in enumerate(run.edits.get(edit, {}).get(split, "")):
            if letter != UNEDITED:
                name = f"{run.task.base}/{run.task.seed}/{split}/{place}"
                values[name], rules[name] = float(letter == FLIPPED), items.rules[split][place]
    return Values(values, rules)


def difference(first: Sequence[Finished], second: Sequence[Finished], items: Items, view: View) -> Paired | None:
    """Second minus first over the sets that both have, of the bases and seeds that both have; none without any."""
    a, b = values_of(first, items, view), values_of(second, items, view)
    both = sorted(a.values.keys() & b.values.keys())
    if not both:
        return None
    return compare_values(
        f"{view.split}, {view.decoding}, {view.figure}",
        {name: a.values[name] for name in both},
        {name: b.values[name] for name in both},
        a.rules,
        seed_of(ANALYSIS_SEED, "difference", *view),
        good=view.figure not in LESS_IS_BETTER,
    )


def verdicts(found: Sequence[Paired | None]) -> list[Verdict | None]:
    """Differences that are read together, with Holm's adjustment over them."""
    tested = [paired for paired in found if paired is not None and paired.p_value is not None]
    adjusted = iter(holm([paired.p_value for paired in tested if paired.p_value is not None]))
    made: list[Verdict | None] = []
    for paired in found:
        p = next(adjusted) if paired is not None and paired.p_value is not None else None
        made.append(None if paired is None else Verdict(paired, p, _word(paired, p)))
    return made


def _word(paired: Paired, p_adjusted: float | None) -> Word:
    """A tie is no proof of equality: it says that the interval holds 0, or that the test is not evident."""
    if paired.finding == "not compared" or p_adjusted is None:
        return "not compared"
    if p_adjusted >= SIGNIFICANCE or paired.finding == "no evidence of a difference":
        return "tie"
    return "win" if paired.finding == "better" else "loss"
