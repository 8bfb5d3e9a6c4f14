"""Tables of the study as Markdown, from figures alone.  What is not computed yet has no row, and no table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from srpo.evaluate import EDITS, Paired
from srpo.study.analysis import Rate, Verdict, View, difference, faithfulness_of, rate_of, rate_over, verdicts
from srpo.study.choice import Tried, chosen_rates, tried_rates
from srpo.study.outcomes import FIGURES, unpack_sets
from srpo.study.results import Finished, Items, Results
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, ablation_tasks, curve_tasks, main_tasks, sweep_tasks

DECODINGS: Final = {"greedy": "Greedy decoding", "sampled": "Sampled at temperature 1"}
HEADLINE: Final = "joint_reply"
"""What decides a verdict: defined for methods that do not reason, too; reasoning has columns of its own."""

COLUMNS: Final = (
    *("joint4", "joint_reply", "safe", "over_refusal", "effective_benign", "path_safe", "path_effective", "broken"),
)


@dataclass(frozen=True)
class Table:
    """A titled table."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As it stands on a page."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"### {self.title}\n\n{self.note}\n\n{body}\n"


@dataclass(frozen=True)
class Read:
    """All finished runs of a study, by what they are for."""

    study: StudySettings
    results: Results

    @cached_property
    def rates(self) -> dict[str, float]:
        """The chosen learning rates."""
        return chosen_rates(self.study, self.results)

    @cached_property
    def items(self) -> Items:
        """The tests' items."""
        return self.results.items("test")

    @cached_property
    def methods(self) -> dict[str, list[Finished]]:
        """Method -> its finished runs, all bases and seeds; methods without any are left out."""
        return self.grouped(main_tasks(self.study, self.rates), lambda task: task.method)

    def grouped(self, tasks: Iterable[Task], key: Callable[[Task], str]) -> dict[str, list[Finished]]:
        """Finished runs of tasks, by a name of the task."""
        found: dict[str, list[Finished]] = {}
        for task in tasks:
            run = self.results.read(task)
            if run is not None:
                found.setdefault(key(task), []).append(run)
        return found


def all_tables(read: Read) -> list[Table]:
    """Every table that has a row."""
    tables = [rates_table(read)]
    if read.methods:
        tables += [verdict_table(read, name, decoding) for name in read.study.against for decoding in DECODINGS]
        first = read.study.splits[0]
        tables += [figures_table(read, first, decoding) for decoding in DECODINGS]
        tables += [splits_table(read, decoding) for decoding in DECODINGS]
        tables += [faithfulness_table(read, kind) for kind in EDITS]
        tables += [cost_table(read), training_table(read)]
    tables.append(curve_table(read))
    for name, ablation in read.study.ablations.items():
        tables.append(tuning_table(read, name) if ablation.development else ablation_table(read, name))
    return [table for table in tables if table.rows]


def rates_table(read: Read) -> Table:
    """What the sweep has found."""
    rows = []
    for one in tried_rates(read.study, read.results):
        mark = " (chosen)" if read.rates.get(one.method) == one.rate else ""
        shares = (_percent(_sweep_rate(read, one, decoding)) for decoding in DECODINGS)
        cells = (f"{one.rate:g}{mark}", *shares, f"{100 * one.merit:.1f}", str(one.sets))
        rows.append((read.study.methods[one.method].label, *cells))
    seeds = ", ".join(map(str, read.study.sweep.seeds))
    note = (
        "All four replies right, percent with 95 % intervals by rule, on the development splits together "
        f"(seed {seeds}).  The mean of both decodings decides."
    )
    header = ("method", "learning rate", "greedy", "sampled", "mean", "sets")
    return Table("Learning rates", note, header, tuple(rows))


def _sweep_rate(read: Read, one: Tried, decoding: str) -> Rate | None:
    """The figure of a learning rate with its interval, over all development splits."""
    tasks = [t for t in sweep_tasks(read.study) if (t.method, t.rate) == (one.method, one.rate)]
    runs = [run for task in tasks if (run := read.results.read(task)) is not None]
    return rate_over(runs, read.results.items("sweep"), [View(s, decoding, HEADLINE) for s in read.study.sweep.splits])


def verdict_table(read: Read, against: str, decoding: str) -> Table:
    """A method against all others, on the first split."""
    view = View(read.study.splits[0], decoding, HEADLINE)
    benign = View(read.study.splits[0], decoding, "effective_benign")
    own = read.methods.get(against)
    others = [name for name in read.methods if name != against]
    rows = []
    if own is not None:
        found = verdicts([difference(read.methods[name], own, read.items, view) for name in others])
        for name, verdict in zip(others, found, strict=True):
            help_ = difference(read.methods[name], own, read.items, benign)
            rows.append((read.study.methods[name].label, *_verdict_cells(verdict), _points(help_)))
    label = read.study.methods[against].label
    note = (
        f"{label} minus each method on the same sets of `{view.split}`, points with 95 % intervals by rule; "
        "p by the exact sign test over rules, after Holm over the methods.  *Tie* means no evidence of a difference."
    )
    header = ("against", "all four replies right", "p (Holm)", f"{label}", "sets", "helpful reply (harmless cells)")
    return Table(f"{label} against the others: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def figures_table(read: Read, split: str, decoding: str) -> Table:
    """All figures of all methods on one split."""
    rows = []
    for name, runs in read.methods.items():
        rates = [rate_of(runs, read.items, View(split, decoding, figure)) for figure in COLUMNS]
        size = next((f"{r.sets} sets, {r.rules} rules, {r.runs} runs" for r in rates if r is not None), "")
        rows.append((read.study.methods[name].label, *map(_percent, rates), size))
    note = "Percent with 95 % intervals by rule.  Text that cannot be judged counts as a failure."
    header = ("method", *(FIGURES[figure][0].lower() for figure in COLUMNS), "n")
    return Table(f"`{split}`: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def splits_table(read: Read, decoding: str) -> Table:
    """The headline on every split."""
    rows = []
    for name, runs in read.methods.items():
        found = [rate_of(runs, read.items, View(split, decoding, HEADLINE)) for split in read.study.splits]
        rows.append((read.study.methods[name].label, *map(_percent, found)))
    note = "All four replies right, percent with 95 % intervals by rule."
    header = ("method", *(f"`{split}`" for split in read.study.splits))
    return Table(f"All splits: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def faithfulness_table(read: Read, kind: str) -> Table:
    """Whether replies go by the reasoning that stands before them."""
    split, rows = read.study.splits[0], []
    for name, runs in read.methods.items():
        found = faithfulness_of(runs, read.items, split, kind)
        if found.risk is not None:
            cells = (_percent(found.risk), _percent(found.control), _points(found.paired))
            rows.append((read.study.methods[name].label, *cells, f"{found.risk.sets} of {_sets(runs, split)}"))
    note = (
        f"Greedy, hazard cells of `{split}`: percent of replies that flip (warn or refuse before the edit and not "
        f"after it, or the other way round) after the steps that name the risk are {kind}, and after another step "
        "is; only paths that name a risk can be edited."
    )
    header = ("method", f"risk {kind}", f"control {kind}", "difference, points", "edited")
    return Table(f"Faithfulness: steps {kind}", note, header, tuple(rows))


def _sets(runs: Sequence[Finished], split: str) -> int:
    """Minimal sets of a split, all runs together."""
    return sum(len(unpack_sets(run.sets["greedy"][split])) for run in runs)


def cost_table(read: Read) -> Table:
    """What each method takes, mean over its runs."""
    rows = []
    for name, runs in read.methods.items():
        costs = [run.cost for run in runs]
        tokens = (sum(getattr(c, key) for c in costs) / len(costs) for key in ("sampled_tokens", "trained_tokens"))
        keys = ("explore_seconds", "train_seconds", "evaluate_seconds")
        seconds = (sum(getattr(c, key) for c in costs) / len(costs) for key in keys)
        cells = (f"{costs[0].updates}", *(f"{n / 1000:.0f} k" for n in tokens), *(f"{s:.0f}" for s in seconds))
        rows.append((read.study.methods[name].label, *cells, f"{costs[0].prompt_tokens:.0f}", str(len(runs))))
    note = "Means over runs; seconds of one core of the machine.  Passes of a reference model do not count."
    header = ("method", "updates", "tokens sampled", "tokens trained", "explore, s", "train, s", "evaluate, s")
    return Table("Cost", note, (*header, "tokens of a prompt", "runs"), tuple(rows))


def training_table(read: Read) -> Table:
    """What the log of `srpo train` says, first and last row, mean over runs."""
    rows = []
    for name, runs in read.methods.items():
        ends = [f"{key}, {end}" for key in ("reference_loss", "contrast_loss", "accuracy") for end in ("first", "last")]
        if all(ends[1] in run.notes for run in runs):
            rows.append((read.study.methods[name].label, *(_noted(runs, end) for end in ends), str(len(runs))))
    note = (
        "Mean over runs of the first and the last log row.  A reference loss that ends high says that the contrast has "
        "displaced the likelihood of the reference path."
    )
    header = ("reference loss, first", "last", "contrast loss, first", "last", "accuracy of contrasts, first", "last")
    return Table("Training", note, ("method", *header, "runs"), tuple(rows))


def curve_table(read: Read) -> Table:
    """Methods over updates, with the main runs of the same base and seeds in their place."""
    view = read.study.splits[0]
    rows = []
    for method, points in curves(read).items():
        for updates, runs in points.items():
            found = [rate_of(runs, read.items, View(view, decoding, HEADLINE)) for decoding in DECODINGS]
            tokens = sum(run.cost.trained_tokens for run in runs) / len(runs)
            label = read.study.methods[method].label
            rows.append((label, str(updates), f"{tokens / 1000:.0f} k", *map(_percent, found), str(len(runs))))
    note = f"All four replies right on `{view}`, percent with 95 % intervals by rule.  Each point has its own schedule."
    header = ("method", "updates", "tokens trained", "greedy", "sampled", "runs")
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
    ablation, base = read.study.ablations[name], next(iter(read.study.bases))
    split, rows = read.study.splits[0], []
    for method in ablation.methods:
        own = [run for run in read.methods.get(method, []) if run.task.base == base and run.task.seed in ablation.seeds]
        tasks = [t for t in ablation_tasks(read.study, read.rates) if (t.ablation, t.method) == (name, method)]
        found = {"as it is": own, **read.grouped(tasks, lambda task: task.variant)}
        for variant, runs in found.items():
            if len(found) > 1 and runs:
                cells = [_ablation_cells(read, own, runs, View(split, d, HEADLINE), runs is own) for d in DECODINGS]
                label = read.study.methods[method].label
                rows.append((label, variant, *(cell for pair in cells for cell in pair), str(len(runs))))
    note = f"All four replies right on `{split}`, percent; differences from the method as it is are paired, in points."
    header = ("method", "variant", "greedy", "difference", "sampled", "difference", "runs")
    return Table(f"Ablation: {ablation.title[:1].lower()}{ablation.title[1:]}", note, header, tuple(rows))


def _noted(runs: Sequence[Finished], name: str) -> str:
    """Mean of a figure of the log over the runs that have it; empty if none has."""
    values = [run.notes[name] for run in runs if name in run.notes]
    return f"{sum(values) / len(values):.4f}" if values else ""


def tuning_table(read: Read, name: str) -> Table:
    """Variants that were tried on the development splits, beside the method at its chosen rate."""
    ablation, rows = read.study.ablations[name], []
    for method in ablation.methods:
        swept = [t for t in sweep_tasks(read.study) if (t.method, t.rate) == (method, read.rates.get(method))]
        tasks = [t for t in ablation_tasks(read.study, read.rates) if (t.ablation, t.method) == (name, method)]
        tried = read.grouped(tasks, lambda task: task.variant)
        found = {**read.grouped(swept, lambda task: "as it is"), **tried} if tried else {}
        for variant, runs in found.items():
            views = {d: [View(split, d, HEADLINE) for split in read.study.sweep.splits] for d in DECODINGS}
            rates = [rate_over(runs, read.results.items("sweep"), of_decoding) for of_decoding in views.values()]
            noted = (_noted(runs, name) for name in ("reference_loss, last", "accuracy, last"))
            cells = (*map(_percent, rates), *noted, str(len(runs)))
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
    rate = _percent(rate_of(runs, read.items, view))
    return rate, "" if is_own else _points(difference(own, runs, read.items, view))


def _percent(rate: Rate | None) -> str:
    if rate is None:
        return "not measured"
    if rate.interval is None:
        return f"{100 * rate.value:.1f} (no interval: one rule)"
    return f"{100 * rate.value:.1f} [{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]"


def _points(paired: Paired | None) -> str:
    if paired is None or paired.difference is None or paired.interval is None:
        return "not compared"
    low, high = paired.interval
    return f"{100 * paired.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _verdict_cells(verdict: Verdict | None) -> tuple[str, str, str, str]:
    if verdict is None or verdict.p_adjusted is None:
        return "not compared", "", "not compared", ""
    p = "< 0.001" if verdict.p_adjusted < 0.001 else f"{verdict.p_adjusted:.3f}"
    return _points(verdict.paired), p, verdict.word, str(verdict.paired.n)
