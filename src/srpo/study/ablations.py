"""Tables of variants and of points over updates, beside the methods themselves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from srpo.study.analysis import View, difference, rate_of, rate_over
from srpo.study.read import DECODINGS, HEADLINE, Read, Table, noted, percent, points
from srpo.study.results import Finished
from srpo.study.tasks import ablation_tasks, curve_tasks, main_tasks, sweep_tasks

AS_IT_IS: Final = "as it is"
"""Row of a method without a variant."""


def curve_table(read: Read) -> Table:
    """Methods over updates, with the main runs of the same base and seeds in their place."""
    view = read.study.splits[0]
    rows, every = [], curves(read)
    first = next(iter(every), "")
    for method, of_method in every.items():
        for updates, runs in of_method.items():
            own = every.get(first, {}).get(updates, [])
            cells = [_ablation_cells(read, own, runs, View(view, d, HEADLINE), method == first) for d in DECODINGS]
            tokens = f"{fmean(run.cost.trained_tokens for run in runs) / 1000:.0f} k"
            figures = (cell for pair in cells for cell in pair)
            rows.append((read.study.methods[method].label, str(updates), tokens, *figures, str(len(runs))))
    note = (
        f"All four replies right on `{view}`, percent with 95 % intervals by rule, and paired difference from "
        f"{read.study.methods[first].label if first else ''} with as many updates, in points.  Each point has its own "
        "schedule."
    )
    header = ("method", "updates", "tokens trained", "greedy", "difference", "sampled", "difference", "runs")
    return Table("Over updates", note, header, tuple(rows))


def curves(read: Read) -> dict[str, dict[int, list[Finished]]]:
    """Method -> updates -> finished runs; the main runs are those of the curve's base and seeds."""
    study, base = read.study, next(iter(read.study.bases))
    tasks = [*curve_tasks(study, read.rates)]
    main = main_tasks(study, read.rates)
    tasks += [t for t in main if t.base == base and t.seed in study.curve.seeds and t.method in study.curve.methods]
    found: dict[str, dict[int, list[Finished]]] = {}
    for task in sorted(tasks, key=lambda task: (study.curve.methods.index(task.method), task.updates, task.seed)):
        run = read.results.read(task)
        if run is not None:
            found.setdefault(task.method, {}).setdefault(task.updates, []).append(run)
    return found


def ablation_table(read: Read, name: str) -> Table:
    """Variants of one ablation, and their paired difference from the method itself."""
    split, rows = read.study.splits[0], []
    for method in read.study.ablations[name].methods:
        own, variants = _as_it_is(read, name, method), _variants(read, name, method)
        for variant, runs in {AS_IT_IS: own, **variants}.items():
            if variants and runs:
                cells = [_ablation_cells(read, own, runs, View(split, d, HEADLINE), runs is own) for d in DECODINGS]
                label = read.study.methods[method].label
                figures = (*(cell for pair in cells for cell in pair), *_cost_cells(runs))
                rows.append((label, variant, *figures, str(len(runs))))
    note = (
        f"All four replies right on `{split}`, percent; differences from the method as it is are paired, in points.  "
        "Cost is the mean over runs, seconds of one core."
    )
    cost = ("tokens sampled", "tokens trained", "explore, s", "train, s")
    header = ("method", "variant", "greedy", "difference", "sampled", "difference", *cost, "runs")
    title = read.study.ablations[name].title
    return Table(f"Ablation: {title[:1].lower()}{title[1:]}", note, header, tuple(rows))


def replies_table(read: Read) -> Table:
    """What every variant changes in safety and in help, apart."""
    split, rows = read.study.splits[0], []
    for name, ablation in read.study.ablations.items():
        for method in () if ablation.development else ablation.methods:
            own, label = _as_it_is(read, name, method), read.study.methods[method].label
            for variant, runs in _variants(read, name, method).items():
                views = (View(split, d, figure) for d in DECODINGS for figure in ("safe", "effective_benign"))
                cells = (points(difference(own, runs, read.items, view)) for view in views)
                rows.append((ablation.title, label, variant, *cells, str(len(runs))))
    note = (
        f"Differences from the method as it is on `{split}`, paired, in points with 95 % intervals by rule: hazards "
        "with a safe reply, and harmless cells with a helpful one."
    )
    header = ("ablation", "method", "variant", *(f"{w}, {d}" for d in DECODINGS for w in ("safe", "helpful")), "runs")
    return Table("Ablations: safety and help", note, header, tuple(rows))


def _as_it_is(read: Read, name: str, method: str) -> list[Finished]:
    """The method's own runs of the base and seeds of an ablation."""
    base, seeds = next(iter(read.study.bases)), read.study.ablations[name].seeds
    return [run for run in read.methods.get(method, []) if run.task.base == base and run.task.seed in seeds]


def _variants(read: Read, name: str, method: str) -> dict[str, list[Finished]]:
    """Variant -> finished runs."""
    tasks = [t for t in ablation_tasks(read.study, read.rates) if (t.ablation, t.method) == (name, method)]
    return read.grouped(tasks, lambda task: task.variant)


def tuning_table(read: Read, name: str) -> Table:
    """Variants that were tried on the development splits, beside the method at its chosen rate."""
    ablation, rows = read.study.ablations[name], []
    for method in ablation.methods:
        swept = [t for t in sweep_tasks(read.study) if (t.method, t.rate) == (method, read.rates.get(method))]
        tried = _variants(read, name, method)
        found = {**read.grouped(swept, lambda task: AS_IT_IS), **tried} if tried else {}
        for variant, runs in found.items():
            views = {d: [View(split, d, HEADLINE) for split in read.study.sweep.splits] for d in DECODINGS}
            rates = [rate_over(runs, read.results.items("sweep"), of_decoding) for of_decoding in views.values()]
            ends = (noted(runs, end) for end in ("reference_loss, last", "accuracy, last"))
            cells = (*map(percent, rates), *ends, str(len(runs)))
            rows.append((read.study.methods[method].label, variant, *cells))
    note = (
        "All four replies right on the development splits together, percent, at the learning rate of the method, "
        "unless the variant names another."
    )
    last = ("reference loss at the end", "accuracy of contrasts at the end")
    header = ("method", "variant", "greedy", "sampled", *last, "runs")
    return Table(f"Tried on development: {ablation.title[:1].lower()}{ablation.title[1:]}", note, header, tuple(rows))


def _ablation_cells(
    read: Read, own: Sequence[Finished], runs: Sequence[Finished], view: View, is_own: bool
) -> tuple[str, str]:
    rate = percent(rate_of(runs, read.items, view))
    return rate, "" if is_own else points(difference(own, runs, read.items, view))


def _cost_cells(runs: Sequence[Finished]) -> tuple[str, ...]:
    costs = [run.cost for run in runs]
    tokens = (fmean(c.sampled_tokens for c in costs), fmean(c.trained_tokens for c in costs))
    seconds = (fmean(c.explore_seconds for c in costs), fmean(c.train_seconds for c in costs))
    return (*(f"{n / 1000:.0f} k" for n in tokens), *(f"{s:.0f}" for s in seconds))
