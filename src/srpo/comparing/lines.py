"""Systems against a baseline, paired item by item, rate by rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from srpo.benchmarks import BENCHMARKS
from srpo.comparing.public import Answers, compare_answers
from srpo.comparing.runs import Run, Side
from srpo.errors import DataError
from srpo.evaluate import METRICS, Cluster, adjust, compare, metrics
from srpo.rates import RATES
from srpo.types import Comparison, Label, Metric, Result

RSBENCH: Final = "rsbench"


class Line(NamedTuple):
    """One rate of two systems on the same items; `good` is false where less is better."""

    benchmark: str
    label: str
    good: bool
    judge: str
    before: Metric
    after: Metric
    comparison: Comparison


def compare_sides(sides: Sequence[Side], *, decoding: str, seed: int, cluster: Cluster = "group") -> list[Line]:
    """Every other side against the first, in every rate of RSBench and of the public benchmarks of both.

    p-values are adjusted for all lines together (Holm).  Raises DataError if two sides answered other items, or
    were judged or decoded otherwise.
    """
    baseline, *others = sides
    lines = [line for other in others for line in _lines(baseline, other, decoding, seed, cluster)]
    if not lines:
        raise DataError(f"{baseline.name} and the others have no benchmark in common; evaluate them on the same one")
    return [line._replace(comparison=c) for line, c in zip(lines, adjust([x.comparison for x in lines]), strict=True)]


def _lines(first: Side, second: Side, decoding: str, seed: int, cluster: Cluster) -> Iterator[Line]:
    if first.run.results and second.run.results:
        yield from _rsbench(first, second, decoding, seed, cluster)
    for name, protocol in sorted({(label.benchmark, label.protocol) for label in first.run.labels}):
        both = [_labels(side, name, protocol, decoding) for side in (first, second)]
        if all(both):
            yield from _benchmark(first, second, both, seed)


def _rsbench(first: Side, second: Side, decoding: str, seed: int, cluster: Cluster) -> Iterator[Line]:
    _check_contents(first.run, second.run, first.run.samples, second.run.samples)
    before, after = _results(first, decoding), _results(second, decoding)
    old, new = metrics(before, seed=seed, cluster=cluster), metrics(after, seed=seed, cluster=cluster)
    for name in (name for name in RATES if name in METRICS):
        found = compare(before, after, name, seed, cluster=cluster)
        named = found.model_copy(update={"baseline": first.name, "system": second.name})
        yield Line(RSBENCH, RATES[name].label, RATES[name].good, after[0].judge, old[name], new[name], named)


def _results(side: Side, decoding: str) -> list[Result]:
    own = [result for result in side.run.results if result.system == side.system]
    found = [result for result in own if result.decoding == decoding]
    if not found:
        known = ", ".join(sorted({result.decoding for result in own})) or "none"
        raise DataError(f"{side.name}: no results under decoding {decoding!r}; it has {known}")
    return found


def _labels(side: Side, benchmark: str, protocol: str, decoding: str) -> list[Label]:
    """Labels of the judge that judged last."""
    rows = [
        label
        for label in side.run.labels
        if (label.system, label.benchmark, label.protocol, label.decoding)
        == (side.system, benchmark, protocol, decoding)
    ]
    return [row for row in rows if row.judge == rows[-1].judge]


def _benchmark(first: Side, second: Side, labels: Sequence[Sequence[Label]], seed: int) -> Iterator[Line]:
    one, other = (rows[0] for rows in labels)
    title = f"{one.benchmark} {one.protocol}"
    if one.judge != other.judge:
        raise DataError(f"{title}: judges differ: {one.judge} against {other.judge}; judge both alike")
    _check_contents(first.run, second.run, first.run.questions, second.run.questions)
    _check_contents(first.run, second.run, first.run.pictures, second.run.pictures)
    answers = [_answers(side, rows) for side, rows in zip((first, second), labels, strict=True)]
    for found in compare_answers(
        title, answers[0], answers[1], BENCHMARKS[one.benchmark].protocols[one.protocol], seed
    ):
        yield Line(title, found.rate, found.good, one.judge, found.before, found.after, found.comparison)


def _answers(side: Side, labels: Sequence[Label]) -> Answers:
    return Answers(side.name, labels, [i for i in side.run.items.values() if i.benchmark == labels[0].benchmark])


def _check_contents(first: Run, second: Run, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Equal ids must mean equal questions: two runs may have drawn other items under the same names."""
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    if changed:
        problem = f"{changed[0]} has another picture, request or reference in {first.name} than in {second.name}"
        raise DataError(f"items differ: {problem} ({len(changed)} such); evaluate both on the same items")
