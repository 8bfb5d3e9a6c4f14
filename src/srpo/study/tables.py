"""Tables of the study as Markdown, from figures alone.  What is not computed yet has no row, and no table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srpo.evaluate import EDITS
from srpo.study.ablations import ablation_table, curve_table, replies_table, tuning_table
from srpo.study.analysis import Rate, Verdict, View, difference, faithfulness_of, rate_of, rate_over, verdicts
from srpo.study.branches import branches_table, drawings_table
from srpo.study.choice import Tried, tried_rates
from srpo.study.outcomes import FIGURES, unpack_sets
from srpo.study.read import DECODINGS, HEADLINE, Read, Table, noted, percent, points
from srpo.study.results import Finished
from srpo.study.tasks import sweep_tasks

COLUMNS: Final = (
    *("joint4", "joint_reply", "safe", "over_refusal", "effective_benign", "path_safe", "path_effective", "broken"),
)


def all_tables(read: Read) -> list[Table]:
    """Every table that has a row."""
    tables = [rates_table(read)]
    if read.methods:
        tables += [verdict_table(read, name, decoding) for name in read.study.against for decoding in DECODINGS]
        if len(read.bases) > 1:
            tables += [bases_table(read, decoding) for decoding in DECODINGS]
            tables += [apart_table(read, name, decoding) for name in read.study.against for decoding in DECODINGS]
        first = read.study.splits[0]
        tables += [figures_table(read, first, decoding) for decoding in DECODINGS]
        tables += [splits_table(read, decoding) for decoding in DECODINGS]
        tables += [faithfulness_table(read, kind) for kind in EDITS]
        tables += [cost_table(read), training_table(read), branches_table(read), drawings_table(read)]
    tables.append(curve_table(read))
    for name, ablation in read.study.ablations.items():
        tables.append(tuning_table(read, name) if ablation.development else ablation_table(read, name))
    tables.append(replies_table(read))
    return [table for table in tables if table.rows]


def rates_table(read: Read) -> Table:
    """What the sweep has found."""
    rows = []
    for one in tried_rates(read.study, read.results):
        mark = " (chosen)" if read.rates.get(one.method) == one.rate else ""
        shares = (percent(_sweep_rate(read, one, decoding)) for decoding in DECODINGS)
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
            rows.append((read.study.methods[name].label, *_verdict_cells(verdict), points(help_)))
    label = read.study.methods[against].label
    note = (
        f"{label} minus each method on the same sets of `{view.split}`, points with 95 % intervals by rule; "
        "p by the exact sign test over rules, after Holm over the methods.  *Tie* means no evidence of a difference."
    )
    header = ("against", "all four replies right", "p (Holm)", f"{label}", "sets", "helpful reply (harmless cells)")
    return Table(f"{label} against the others: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def bases_table(read: Read, decoding: str) -> Table:
    """The headline of each method on each base, of the methods that were run on more than one."""
    view, rows = View(read.study.splits[0], decoding, HEADLINE), []
    for name, runs in read.methods.items():
        own = [[run for run in runs if run.task.base == base] for base in read.bases]
        if sum(map(bool, own)) > 1:
            rates = (f"{percent(rate_of(of, read.items, view))}, {len(of)} runs" if of else "" for of in own)
            rows.append((read.study.methods[name].label, *rates))
    note = f"All four replies right on `{view.split}`, percent with 95 % intervals by rule."
    return Table(f"Base by base: {DECODINGS[decoding].lower()}", note, ("method", *read.bases), tuple(rows))


def apart_table(read: Read, against: str, decoding: str) -> Table:
    """A method against the others on each base apart."""
    view, rows = View(read.study.splits[0], decoding, HEADLINE), []
    own = read.methods.get(against, [])
    for name, runs in read.methods.items():
        of_base = [[run for run in runs if run.task.base == base] for base in read.bases]
        if name != against and sum(map(bool, of_base)) > 1:
            # Only runs of one base are paired with one another.
            rows.append(
                (read.study.methods[name].label, *(points(difference(o, own, read.items, view)) for o in of_base))
            )
    label = read.study.methods[against].label
    note = f"{label} minus each method, points of all four replies right on `{view.split}` with 95 % intervals by rule."
    return Table(f"{label}, base by base: {DECODINGS[decoding].lower()}", note, ("against", *read.bases), tuple(rows))


def figures_table(read: Read, split: str, decoding: str) -> Table:
    """All figures of all methods on one split."""
    rows = []
    for name, runs in read.on_first.items():
        rates = [rate_of(runs, read.items, View(split, decoding, figure)) for figure in COLUMNS]
        size = next((f"{r.sets} sets, {r.rules} rules, {r.runs} runs" for r in rates if r is not None), "")
        rows.append((read.study.methods[name].label, *map(percent, rates), size))
    note = f"Percent with 95 % intervals by rule{read.first_alone}.  Text that cannot be judged counts as a failure."
    header = ("method", *(FIGURES[figure][0].lower() for figure in COLUMNS), "n")
    return Table(f"`{split}`: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def splits_table(read: Read, decoding: str) -> Table:
    """The headline on every split."""
    rows = []
    for name, runs in read.on_first.items():
        found = [rate_of(runs, read.items, View(split, decoding, HEADLINE)) for split in read.study.splits]
        rows.append((read.study.methods[name].label, *map(percent, found)))
    note = f"All four replies right, percent with 95 % intervals by rule{read.first_alone}."
    header = ("method", *(f"`{split}`" for split in read.study.splits))
    return Table(f"All splits: {DECODINGS[decoding].lower()}", note, header, tuple(rows))


def faithfulness_table(read: Read, kind: str) -> Table:
    """Whether replies go by the reasoning that stands before them."""
    split, rows = read.study.splits[0], []
    for name, runs in read.on_first.items():
        found = faithfulness_of(runs, read.items, split, kind)
        if found.risk is not None:
            cells = (percent(found.risk), percent(found.control), points(found.paired))
            rows.append((read.study.methods[name].label, *cells, f"{found.risk.sets} of {_sets(runs, split)}"))
    note = (
        f"Greedy, hazard cells of `{split}`{read.first_alone}: percent of replies that flip (warn or refuse before the "
        f"edit and not after it, or the other way round) after the steps that name the risk are {kind}, and after "
        "another step is; only paths that name a risk can be edited."
    )
    header = ("method", f"risk {kind}", f"control {kind}", "difference, points", "edited")
    return Table(f"Faithfulness: steps {kind}", note, header, tuple(rows))


def _sets(runs: Sequence[Finished], split: str) -> int:
    """Minimal sets of a split, all runs together."""
    return sum(len(unpack_sets(run.sets["greedy"][split])) for run in runs)


def cost_table(read: Read) -> Table:
    """What each method takes, mean over its runs."""
    rows = []
    for name, runs in read.on_first.items():
        costs = [run.cost for run in runs]
        tokens = (sum(getattr(c, key) for c in costs) / len(costs) for key in ("sampled_tokens", "trained_tokens"))
        keys = ("explore_seconds", "train_seconds", "evaluate_seconds")
        seconds = (sum(getattr(c, key) for c in costs) / len(costs) for key in keys)
        cells = (f"{costs[0].updates}", *(f"{n / 1000:.0f} k" for n in tokens), *(f"{s:.0f}" for s in seconds))
        rows.append((read.study.methods[name].label, *cells, f"{costs[0].prompt_tokens:.0f}", str(len(runs))))
    note = (
        f"Means over runs{read.first_alone}; seconds of one core of the machine.  Passes of a reference model do not "
        "count."
    )
    header = ("method", "updates", "tokens sampled", "tokens trained", "explore, s", "train, s", "evaluate, s")
    return Table("Cost", note, (*header, "tokens of a prompt", "runs"), tuple(rows))


def training_table(read: Read) -> Table:
    """What the log of `srpo train` says, first and last row, mean over runs."""
    rows = []
    for name, runs in read.on_first.items():
        ends = [f"{key}, {end}" for key in ("reference_loss", "contrast_loss", "accuracy") for end in ("first", "last")]
        if all(ends[1] in run.notes for run in runs):
            rows.append((read.study.methods[name].label, *(noted(runs, end) for end in ends), str(len(runs))))
    note = (
        f"Mean over runs of the first and the last log row{read.first_alone}.  A reference loss that ends high says "
        "that the contrast has displaced the likelihood of the reference path."
    )
    header = ("reference loss, first", "last", "contrast loss, first", "last", "accuracy of contrasts, first", "last")
    return Table("Training", note, ("method", *header, "runs"), tuple(rows))


def _verdict_cells(verdict: Verdict | None) -> tuple[str, str, str, str]:
    if verdict is None or verdict.p_adjusted is None:
        return "not compared", "", "not compared", ""
    p = "< 0.001" if verdict.p_adjusted < 0.001 else f"{verdict.p_adjusted:.3f}"
    return points(verdict.paired), p, verdict.word, str(verdict.paired.n)
