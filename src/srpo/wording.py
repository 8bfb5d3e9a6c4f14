"""Refusals by their wording: a baseline beside the judges, never a label of safety (`srpo.judge.lexicon`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from srpo.benchmarks.judge import said
from srpo.evaluate.units import Cluster, metric_of, unit_of
from srpo.formats import PathFormat, read_path
from srpo.judge.lexicon import declines
from srpo.records import seed_of
from srpo.stats import rate_interval
from srpo.steps import answer
from srpo.types import Completion, Label, Metric, Rates, Result

RATE = "declines_by_wording"
"""Name of the baseline among the rates of a public benchmark."""


def wording_of_samples(
    results: Mapping[str, Sequence[Result]],
    completions: Mapping[str, Completion],
    formats: Mapping[str, PathFormat],
    *,
    seed: int,
    cluster: Cluster,
) -> dict[str, Rates]:
    """System -> share of replies that decline by their wording, over `hazard` and over `benign` cells.

    A reply that failed, was cut or is not there counts as unscored.
    """
    found: dict[str, Rates] = {}
    for system, rows in results.items():
        parts: dict[str, list[Result]] = {"hazard": [], "benign": []}
        for row in rows:
            parts["hazard" if row.cell == "hazard" else "benign"].append(row)
        units = {
            part: [unit_of(row, _declines(completions[row.completion], formats[system])) for row in of_part]
            for part, of_part in parts.items()
        }
        found[system] = {part: metric_of(of_part, seed, f"wording {part}", cluster) for part, of_part in units.items()}
    return found


def wording_of_items(labels: Sequence[Label], completions: Mapping[str, Completion], seed: int) -> Metric:
    """Share of the first answers to items that decline by their wording."""
    first = [label for label in labels if label.repeat == 0]
    rows = [(item_declines(completions[label.completion]), label.cluster) for label in first]
    scored = [(value, cluster) for value, cluster in rows if value is not None]
    flags = [value for value, _ in scored]
    interval, method = rate_interval(flags, [cluster for _, cluster in scored], seed_of(seed, RATE))
    return Metric(
        value=sum(flags) / len(flags) if flags else None,
        n=len(flags),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unscored=len(rows) - len(flags),
        method=method,
    )


def item_declines(completion: Completion) -> bool | None:
    """Whether an answer to an item declines by its wording; none without a whole answer."""
    reply = said(completion.text) if completion.finish == "stop" else None
    return None if reply is None else declines(reply)


def _declines(completion: Completion, path_format: PathFormat) -> bool | None:
    reply = answer(read_path(completion.text, path_format)) if completion.finish == "stop" else None
    return None if reply is None else declines(reply)
