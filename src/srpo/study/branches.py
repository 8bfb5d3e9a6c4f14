"""What the shared branches gave, prefix by prefix: where contrasts come from, and how long their sides are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from srpo.errors import DataError
from srpo.explore import PrefixYield, sum_yields
from srpo.records import write_text
from srpo.study.read import Read, Table
from srpo.study.results import Results
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, ablation_tasks, main_tasks
from srpo.study.teaching import Explored, outcomes_of
from srpo.types import Outcome, Record

Kind = Literal["hazard", "benign"]


class PrefixBranches(Record):
    """Branches of one prefix in one kind of cell, all trees together."""

    kind: Kind
    counts: PrefixYield
    favourable_tokens: float | None = Field(description="of a favourable branch, mean over all of them")
    unfavourable_tokens: float | None = Field(description="of an unfavourable one")


class Branches(Record):
    """The branches of one base and seed."""

    base: str
    seed: int
    drawn: str = Field(default="", description="method or variant that draws them in its own way; empty = all others")
    trees: dict[Kind, int]
    contrasted: dict[Kind, int] = Field(description="trees with a contrast; each counts by the mean of its contrasts")
    prefixes: tuple[PrefixBranches, ...]


def drawing_of(study: StudySettings, task: Task) -> str:
    """What the branches of a run are called: by its variant, if that draws them or their samples in its own way.

    Else by the first method that draws as its method does; empty if it draws as the study does.
    """
    if task.ablation and _drawn(study.ablations[task.ablation].variants[task.variant].get("run", {})):
        return f"{task.ablation}={task.variant}"
    own = _drawn(study.methods[task.method].run)
    return next(name for name, method in study.methods.items() if _drawn(method.run) == own) if own else ""


def _drawn(run: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that branches and their samples hang on."""
    return {key: run[key] for key in ("explore", "world") if key in run}


def branches_of(base: str, seed: int, found: Explored, yields: Sequence[Sequence[PrefixYield]]) -> Branches:
    """Counts of unique branches, from the yields of the trees in their order, and lengths over all branches."""
    kinds: dict[str, Kind] = {
        tree.id: "hazard" if found.samples[tree.sample].cell == "hazard" else "benign" for tree in found.trees
    }
    lengths: dict[tuple[Kind, int, Outcome], list[int]] = {}
    for tree in found.trees:
        for node, outcome in outcomes_of(found, tree).items():
            place = (kinds[tree.id], tree.prefix(node), outcome)
            lengths.setdefault(place, []).append(len(tree.nodes[node].token_ids or ()))
    totals = sum_yields(yields)
    each: tuple[Kind, Kind] = ("hazard", "benign")
    rows = [
        PrefixBranches(
            kind=kind,
            counts=total,
            favourable_tokens=_mean(lengths.get((kind, total.prefix, "favourable"), ())),
            unfavourable_tokens=_mean(lengths.get((kind, total.prefix, "unfavourable"), ())),
        )
        for kind in each
        for total in totals[kind]
    ]
    trees = {kind: list(kinds.values()).count(kind) for kind in each}
    able = [kinds[tree.id] for tree, own in zip(found.trees, yields, strict=True) if any(row.kept for row in own)]
    contrasted = {kind: able.count(kind) for kind in each}
    return Branches(base=base, seed=seed, trees=trees, contrasted=contrasted, prefixes=tuple(rows))


def keep_branches(results: Results, branches: Branches) -> None:
    """Write them beside the figures of the runs."""
    write_text(
        results.branches(branches.base, branches.seed, branches.drawn), branches.model_dump_json(indent=1) + "\n"
    )


def branches_table(read: Read) -> Table:
    """All bases and seeds of the main runs together."""
    places = dict.fromkeys((task.base, task.seed) for task in main_tasks(read.study, read.rates))
    files = [file for place in places if (file := read.results.branches(*place)).exists()]
    kept = [_read(file) for file in files]
    rows = []
    labels: dict[Kind, str] = {"hazard": "hazard", "benign": "harmless"}
    for kind, label in labels.items():
        trees = _sum(kept, kind)
        own = [row for branches in kept for row in branches.prefixes if row.kind == kind]
        for prefix in sorted({row.counts.prefix for row in own}):
            rows.append((label, str(prefix), *_cells([row for row in own if row.counts.prefix == prefix], trees)))
    sizes = ", ".join(f"{b.base} {b.seed}" for b in kept)
    able = (f"{_sum(kept, kind, True)} of {_sum(kept, kind)} {label} trees" for kind, label in labels.items())
    note = (
        f"Unique branches, contrasts that are kept, and mean length of a branch to its end (base and seed: {sizes}).  "
        f"{' and '.join(able)} have a contrast.  Counts of what was drawn, so without intervals."
    )
    shares = ("favourable, %", "unfavourable, %", "neither, %", "not judged, %")
    tokens = ("tokens of a favourable one", "of an unfavourable one")
    header = ("cells", "prefix", "unique a tree", *shares, "contrasts a tree", *tokens)
    return Table("Branches by prefix", note, header, tuple(rows))


def drawings_table(read: Read) -> Table:
    """Contrasts by how branches are drawn, on the first base."""
    rows = []
    for drawn, files in _drawings(read).items():
        kept = [_read(file) for file in files if file.exists()]
        if kept:
            cells = (*_contrasts(kept, "hazard"), *_contrasts(kept, "benign"), str(len(kept)))
            rows.append((_label(read.study, drawn), *cells))
    contrasts = ("trees with a contrast, %", "contrasts of such a tree")
    header = ("branches of", *(f"{kind} {name}" for kind in ("hazard", "harmless") for name in contrasts), "seeds")
    note = (
        "A tree counts by the mean of its contrasts, so kinds of cells weigh by the trees that have any.  "
        "First base; rows may have different seeds."
    )
    return Table("Branches by how they are drawn", note, header, tuple(rows) if len(rows) > 1 else ())


def _drawings(read: Read) -> dict[str, list[Path]]:
    """Way of drawing -> where the counts of its seeds are, or will be; runs of the sweep are not counted."""
    first = next(iter(read.study.bases))
    found: dict[str, dict[Path, None]] = {}
    for task in (*main_tasks(read.study, read.rates), *ablation_tasks(read.study, read.rates)):
        if task.base == first and task.purpose != "sweep":
            drawn = drawing_of(read.study, task)
            found.setdefault(drawn, {})[read.results.branches(first, task.seed, drawn)] = None
    return {drawn: list(files) for drawn, files in found.items()}


def _label(study: StudySettings, drawn: str) -> str:
    if not drawn:
        return "all others"
    ablation, _, variant = drawn.partition("=")
    return f"{study.ablations[ablation].title}: {variant}" if variant else study.methods[drawn].label


def _contrasts(kept: Sequence[Branches], kind: Kind) -> tuple[str, str]:
    """Percent of the trees that have a contrast, and contrasts of one of these."""
    able = _sum(kept, kind, True)
    contrasts = sum(row.counts.kept for branches in kept for row in branches.prefixes if row.kind == kind)
    return f"{100 * able / _sum(kept, kind):.1f}", f"{contrasts / able:.1f}" if able else ""


def _sum(kept: Sequence[Branches], kind: Kind, contrasted: bool = False) -> int:
    return sum((branches.contrasted if contrasted else branches.trees)[kind] for branches in kept)


def _read(file: Path) -> Branches:
    try:
        return Branches.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise DataError(f"{file}: not the counts of branches ({problem}); delete it and its trees") from None


def _cells(rows: Sequence[PrefixBranches], trees: int) -> tuple[str, ...]:
    unique = sum(row.counts.unique for row in rows)
    names = ("favourable", "unfavourable", "neutral", "missing")
    shares = [100 * sum(getattr(row.counts, name) for row in rows) / max(unique, 1) for name in names]
    lengths = (
        _mean([n for row in rows if (n := row.favourable_tokens) is not None]),
        _mean([n for row in rows if (n := row.unfavourable_tokens) is not None]),
    )
    kept = sum(row.counts.kept for row in rows)
    told = ("" if length is None else f"{length:.0f}" for length in lengths)
    return (f"{unique / trees:.2f}", *(f"{share:.1f}" for share in shares), f"{kept / trees:.2f}", *told)


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None
