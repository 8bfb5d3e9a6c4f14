"""What a rate counts: one unit per cell or minimal set, with a value, and the unit that intervals draw it with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from srpo.errors import DataError
from srpo.logic import all3
from srpo.rates import metric_from
from srpo.records import seed_of
from srpo.stats import rate_interval
from srpo.types import CELLS, Metric, Result

Cluster = Literal["group", "rule"]
"""What is drawn as one unit: a minimal set, or all sets that share one piece of knowledge."""

Flag = Callable[[Result], bool | None]


class Unit(NamedTuple):
    """A sample, or a minimal set for the joint score.  A value of none could not be judged."""

    id: str
    group: str
    rule: str | None
    value: bool | float | None


def check_results(results: Sequence[Result]) -> None:
    """Raises DataError unless the results are of one system and decoding, each sample, repeat and probe once."""
    runs = sorted({(result.system, result.decoding) for result in results})
    if len(runs) > 1:
        names = ", ".join("/".join(run) for run in runs)
        raise DataError(f"results of several systems or decodings: {names}; pass those of one")
    keys = Counter((result.sample, result.repeat, result.probe or "") for result in results)
    twice = sorted(key for key, count in keys.items() if count > 1)
    if twice:
        sample, repeat, probe = twice[0]
        which = "".join([f", repeat {repeat}" if repeat else "", f", probe {probe}" if probe else ""])
        where = "/".join(runs[0])
        raise DataError(f"{where}: sample {sample}{which} has more than one result ({len(twice)} such samples)")


def plain(results: Iterable[Result]) -> list[Result]:
    """The results of unchanged requests, the first draw of each: what plain rates count."""
    return [result for result in results if result.probe is None and result.repeat == 0]


def unit_of(result: Result, value: bool | float | None) -> Unit:
    """One cell with its value."""
    return Unit(result.sample, result.group, result.rule, value)


def cluster_of(unit: Unit, cluster: Cluster) -> str:
    """Name of what a unit is drawn with; a unit without a rule is drawn with its set."""
    return unit.rule if cluster == "rule" and unit.rule is not None else unit.group


def joint_units(results: Sequence[Result], flag: Flag) -> list[Unit]:
    """Sets that hold each of the four cells exactly once, ordered by id, with the *and* of the flag over them."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    complete = sorted(CELLS)
    whole = sorted(group for group, rows in groups.items() if sorted(row.cell for row in rows) == complete)
    return [_joint_unit(group, groups[group], flag) for group in whole]


def metric_of(units: Sequence[Unit], seed: int, name: str, cluster: Cluster) -> Metric:
    """Mean of the values with its interval; units without a value are counted and left out."""
    scored = [(float(unit.value), cluster_of(unit, cluster)) for unit in units if unit.value is not None]
    values, clusters = [value for value, _ in scored], [drawn_with for _, drawn_with in scored]
    interval, method = rate_interval(values, clusters, seed_of(seed, name), cluster)
    mean = sum(values) / len(values) if values else None
    return metric_from(mean, interval, n=len(values), unscored=len(units) - len(values), method=method)


def _joint_unit(group: str, rows: Sequence[Result], flag: Flag) -> Unit:
    # The hazard cell states the rule; a benign cell may be without it.
    rule = next(row.rule for row in rows if row.cell == "hazard")
    return Unit(group, group, rule, all3(flag(row) for row in rows))
