"""A shortcut audit as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from srpo.publish.audit import Audit
from srpo.publish.classifiers import VIEWS
from srpo.types import Metric

_SHORTCUTS: Final = 5


def audit_lines(found: Audit) -> Iterator[str]:
    """What the terminal shows."""
    complete = f"{found.complete_sets} of {found.sets} sets complete, {found.clusters} clusters that share no picture"
    yield f"shortcut audit of {found.samples} samples ({complete})"
    if found.note:
        yield found.note
        return
    yield f"balanced accuracy of telling hazards; chance {found.chance:.3f}, one modality at most {found.bound:.3f}"
    width = max(map(len, VIEWS.values()))
    for name, metric in found.views.items():
        yield f"  {VIEWS[name]:<{width}}  {_interval(metric)}"
    yield "  (a sum of both solves an AND, so that late fusion may be high in a good dataset)"
    surest = sorted(found.shortcuts, key=lambda one: (-one.probability, one.sample, one.view))
    for one in surest[:_SHORTCUTS]:
        yield f"  told by {one.view} alone: sample {one.sample}, {one.cell}, probability {one.probability:.3f}"


def _interval(metric: Metric) -> str:
    if metric.value is None:
        return "no figure"
    span = "no interval" if metric.low is None or metric.high is None else f"[{metric.low:.3f}, {metric.high:.3f}]"
    return f"{metric.value:.3f} {span}, n = {metric.n}"
