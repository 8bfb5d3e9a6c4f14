"""What there is to count in a release, as tables: sizes, balance, lengths, agreement, checks, rejections, costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, get_args

import numpy as np

from srpo.publish.audit import Audit
from srpo.publish.classifiers import VIEWS
from srpo.publish.material import Material
from srpo.publish.rows import Row
from srpo.review.agreement import AgreementTable
from srpo.tables import Cell, Table
from srpo.types import CATEGORIES, CELLS, CheckState, Metric

ALL: Final = "all"
MOST_MAKERS: Final = 100
STATES: Final = get_args(CheckState)
_NAMED: Final = 10
"""Sets that a warning names."""

_UNUSED: Final = {
    "unknown": "of samples that are not in the dataset",
    "changed": "of other words than the samples have",
    "own_vote": "of adjudicators on samples on which they have voted",
}
_QUANTILES: Final = (0.05, 0.5, 0.95, 1.0)


def sizes_table(rows: Sequence[Row], splits: Sequence[str]) -> Table:
    """Samples by split and cell."""
    counts = Counter((row.split, row.cell) for row in rows)
    sets = {split: len({row.set for row in rows if row.split == split}) for split in splits}
    lines: list[tuple[Cell, ...]] = [
        (split, *(counts[split, cell] for cell in CELLS), sum(counts[split, cell] for cell in CELLS), sets[split])
        for split in splits
    ]
    lines.append((ALL, *(sum(counts[s, cell] for s in splits) for cell in CELLS), len(rows), sum(sets.values())))
    return Table("sizes", "Samples by split and cell", ("split", *CELLS, "samples", "sets"), tuple(lines))


def balance_table(rows: Sequence[Row], splits: Sequence[str]) -> Table:
    """Samples by category of the set's hazard, split and cell."""
    categories = categories_of_sets(rows)
    counts = Counter((categories.get(row.set), row.split, row.cell) for row in rows)
    lines = [
        (name, split, *(counts[name, split, cell] for cell in CELLS))
        for name in [*CATEGORIES, None]
        for split in splits
        if any(counts[name, split, cell] for cell in CELLS)
    ]
    title = "Samples by category of the set, split and cell"
    return Table("balance", title, ("category", "split", *CELLS), tuple(lines))


def lengths_table(rows: Sequence[Row]) -> Table:
    """Words of the texts by cell: a length that goes with the cell is a shortcut."""
    texts: dict[str, Callable[[Row], str]] = {
        "question": lambda row: row.question,
        "safe_reply": lambda row: row.safe_reply,
        "target": lambda row: row.target,
    }
    lines: list[tuple[Cell, ...]] = []
    for name, text in texts.items():
        for cell in CELLS:
            words = [len(text(row).split()) for row in rows if row.cell == cell]
            if words:
                lines.append((name, cell, *(int(q) for q in np.quantile(words, _QUANTILES, method="nearest"))))
    return Table("lengths", "Words", ("text", "cell", "5 %", "median", "95 %", "longest"), tuple(lines))


def agreement_table(found: AgreementTable, people: Mapping[str, str]) -> Table:
    """Agreement of people, under their pseudonyms."""
    lines = tuple(
        (
            f"{one.measure}, {one.statistic}",
            ", ".join(sorted(people[name] for name in one.reviewers)),
            *(one.value, one.low, one.high),
            *(one.n, one.alike),
        )
        for one in found.figures
    )
    columns = ("figure", "reviewers", "value", "low", "high", "n", "alike")
    return Table("agreement", "Agreement of reviewers, 95 % intervals over minimal sets", columns, lines)


def votes_table(material: Material) -> Table:
    """Published samples by how many reviewers have voted on them."""
    votes = Counter(review.sample for review in material.reviews if review.role == "reviewer")
    settled = {review.sample for review in material.reviews if review.role == "adjudicator"}
    planned = max((review.planned for review in material.reviews), default=1)
    counts = Counter(votes[old] for old in material.reviewed_as.values())
    ruled = Counter(votes[old] for old in material.reviewed_as.values() if old in settled)
    lines = tuple((n, counts[n], ruled[n]) for n in sorted(counts))
    columns = ("reviewers", "samples", "of them settled by an adjudicator")
    return Table("votes", f"Reviewers per published sample; {planned} planned", columns, lines)


def checks_table(rows: Sequence[Row]) -> Table:
    """States of the checks of published samples."""
    every = [(f"{one.name} {one.of}".strip(), one.state) for row in rows for one in row.checks]
    counts = Counter(every)
    names = sorted({name for name, _ in counts})
    lines: list[tuple[Cell, ...]] = [(name, *(counts[name, state] for state in STATES)) for name in names]
    return Table("checks", "Checks of published samples", ("check", *STATES), tuple(lines))


def rejections_table(material: Material) -> Table:
    """What was dropped on the way, by stage and reason."""
    counts = Counter((one.stage, one.reason) for one in material.rejections)
    stages = list(dict.fromkeys(one.stage for one in material.rejections))
    order = sorted(counts, key=lambda key: (stages.index(key[0]), -counts[key], key[1]))
    lines: list[tuple[Cell, ...]] = [(stage, reason, counts[stage, reason]) for stage, reason in order]
    lines += [("review", reason, count) for reason, count in material.left_out.items()]
    return Table("rejections", "Dropped, by stage and reason", ("stage", "reason", "n"), tuple(lines))


def costs_table(material: Material) -> Table:
    """Calls, tokens and cost by stage, part and model; what a stop had asked again is counted as often."""
    kept = ("calls", "failed", "prompt_tokens", "completion_tokens")
    sums: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    costs: dict[tuple[str, str, str], float | None] = {}
    for one in material.usage:
        key = (one.stage, one.role, one.model)
        sums[key].update({name: getattr(one, name) for name in kept})
        known = costs.get(key, 0.0)
        costs[key] = None if known is None or one.cost is None else known + one.cost
    lines: list[tuple[Cell, ...]] = [(*key, *(sums[key][name] for name in kept), costs[key]) for key in sums]
    return Table(
        "costs", "Calls to models, those of all starts", ("stage", "part", "model", *kept, "cost"), tuple(lines)
    )


def calls_table(rows: Sequence[Row]) -> Table:
    """Which model wrote what with which prompt."""
    counts = Counter((call.role, call.model, call.prompt_sha256) for row in rows for call in row.calls)
    lines = tuple((*key, counts[key]) for key in sorted(counts))
    return Table("calls", "Calls that made the texts", ("part", "model", "sha256 of the prompt", "calls"), lines)


def judges_table(rows: Sequence[Row]) -> Table:
    """Who judged, how often, and how often in vain."""
    votes = [(check.name, vote) for row in rows for check in row.checks for vote in check.votes]
    counts = Counter((name, vote.judge) for name, vote in votes)
    failed = Counter((name, vote.judge) for name, vote in votes if vote.ok is None)
    lines = tuple((*key, counts[key], failed[key]) for key in sorted(counts))
    return Table("judges", "Votes of judges", ("check", "judge", "votes", "could not judge"), lines)


def sources_table(rows: Sequence[Row]) -> Table:
    """Pictures by licence and maker."""
    pictures = {row.picture.source: row.picture for row in rows}.values()
    counts = Counter((one.licence, one.attribution or "not named") for one in pictures)
    order = sorted(counts, key=lambda key: (-counts[key], key))
    lines: list[tuple[Cell, ...]] = [(*key, counts[key]) for key in order[:MOST_MAKERS]]
    if rest := order[MOST_MAKERS:]:
        lines.append((None, f"{len(rest)} more, named in the rows", sum(counts[key] for key in rest)))
    return Table("sources", "Pictures by licence and maker", ("licence", "made by", "pictures"), tuple(lines))


def audit_table(found: Audit) -> Table:
    """Balanced accuracy by what a classifier sees."""
    lines = tuple(
        (VIEWS[name], *_numbers(metric), metric.n, metric.method if metric.value is not None else found.note)
        for name, metric in found.views.items()
    )
    title = "Balanced accuracy of telling hazards, by what is seen"
    return Table("audit", title, ("seen", "value", "low", "high", "n", "how"), lines)


def shortcuts_table(found: Audit) -> Table:
    """Samples that one modality tells right."""
    lines = tuple((one.sample, one.set, one.cell, one.view, one.probability) for one in found.shortcuts)
    title = "Samples that one modality tells right, surest first"
    return Table("shortcuts", title, ("sample", "set", "cell", "seen", "probability"), lines)


def openings_table(found: Audit) -> Table:
    """How safe replies begin."""
    lines = tuple((one.words, one.hazard, one.benign) for one in found.openings)
    return Table("openings", "Most common beginnings of safe replies", ("words", "hazard", "benign"), lines)


def categories_of_sets(rows: Iterable[Row]) -> dict[str, str | None]:
    """Set -> category of its hazard."""
    return {row.set: row.category for row in rows if row.cell == "hazard"}


def warnings(material: Material, rows: Sequence[Row]) -> list[str]:
    """What a reader of the card must know, in sentences: quotas, sizes, reviews and checks that fall short."""
    sets = categories_of_sets(rows)
    of_category = Counter(sets.values())
    clean = material.config.clean
    found = [
        f"category {name}: {of_category[name]} of at most {quota} sets"
        for name, quota in clean.quotas.items()
        if of_category[name] < quota
    ]
    if clean.sets is not None and len(sets) < clean.sets:
        found.append(f"{len(sets)} of {clean.sets} minimal sets that were wanted")
    missing = [name for name in CATEGORIES if not of_category[name]]
    if missing:
        found.append(f"no set of {', '.join(missing)}")
    found += [f"split {split}: no set" for split in material.config.splits if split not in material.splits]
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        splits[row.image_sha256].add(row.split)
    if shared := sum(len(of) > 1 for of in splits.values()):
        found.append(f"{shared} pictures are in more than one split")
    if material.undecided:
        found.append(f"{len(material.undecided)} of {len(rows)} samples are published without a decision of people")
    if material.settled.split:
        named = ", ".join(material.settled.split[:_NAMED]) + (", ..." if len(material.settled.split) > _NAMED else "")
        found.append(f"sets left out, as a request was edited in one of the cells that share it: {named}")
    bad = sum(check.state != "ok" for row in rows for check in row.checks)
    if bad:
        found.append(f"{bad} checks of published samples are not ok")
    if material.settled.unused:
        found += [
            f"{count} reviews were not used: {_UNUSED[reason]}"
            for reason, count in sorted(Counter(one.reason for one in material.settled.unused).items())
        ]
    return found


def _numbers(metric: Metric) -> tuple[Cell, Cell, Cell]:
    return metric.value, metric.low, metric.high
