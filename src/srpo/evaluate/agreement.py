"""How far several judges agree on the same answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from srpo.errors import DataError
from srpo.evaluate.units import Cluster, cluster_of, plain, unit_of
from srpo.rates import metric_from
from srpo.records import seed_of
from srpo.stats import krippendorff_alpha
from srpo.types import Metric, Result

FLAGS: Final = ("path_safe", "path_effective", "answer_safe", "answer_effective", "declined")


def agreement(
    results_by_judge: Mapping[str, Sequence[Result]], *, seed: int, cluster: Cluster = "group"
) -> dict[str, Metric]:
    """Flag -> Krippendorff's alpha between judges, with an interval that draws whole clusters of answers.

    1 is agreement, 0 what chance would give; none means that only one label occurs.  n counts answers that two
    judges or more could judge, `unscored` the others.  The answers may be of several systems; probes and further
    draws are left out.  Empty with fewer than two judges.  Raises DataError if the judges did not see the same
    answers, or one judged an answer twice.
    """
    if len(results_by_judge) < 2:
        return {}
    rows = [_by_completion(results) for results in results_by_judge.values()]
    _check_same(dict(zip(results_by_judge, rows, strict=True)))
    names = sorted(rows[0])
    clusters = [cluster_of(unit_of(rows[0][name], None), cluster) for name in names]
    return {
        flag: _alpha([[getattr(row[name], flag) for name in names] for row in rows], clusters, flag, seed)
        for flag in FLAGS
    }


def _alpha(ratings: Sequence[Sequence[bool | None]], clusters: Sequence[str], flag: str, seed: int) -> Metric:
    found = krippendorff_alpha(ratings, clusters=clusters, seed=seed_of(seed, "agreement", flag))
    scored = sum(sum(rating is not None for rating in unit) > 1 for unit in zip(*ratings, strict=True))
    method = "Krippendorff's alpha, nominal, cluster bootstrap 95 %" if found.interval else "no interval"
    return metric_from(found.value, found.interval, n=scored, unscored=len(clusters) - scored, method=method)


def _by_completion(results: Sequence[Result]) -> dict[str, Result]:
    rows = plain(results)
    found = {row.completion: row for row in rows}
    if len(found) < len(rows):
        twice = next(name for name, count in Counter(row.completion for row in rows).items() if count > 1)
        raise DataError(f"judge {rows[0].judge} has more than one result of answer {twice}; pass the last one")
    return found


def _check_same(rows: Mapping[str, Mapping[str, Result]]) -> None:
    first, *others = rows
    for other in others:
        odd = sorted(rows[first].keys() ^ rows[other].keys())
        if odd:
            problem = f"judges {first} and {other} have not judged the same answers: {odd[0]} has a result of one only"
            raise DataError(f"{problem}; run `srpo evaluate` to the end")
