"""How well each check finds what it looks for, and how many records are right before and after each stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from pydantic import Field

from srpo.building.stage import CHAIN
from srpo.data.folder import DatasetFolder
from srpo.data.settle import settle
from srpo.errors import DataError
from srpo.pictures import picture_of
from srpo.records import iterate_records, read_records
from srpo.simulate.events import Event, events_of, last_sets
from srpo.simulate.truth import Scenes, judge_draft, judge_sample
from srpo.stats import wilson
from srpo.tables import Table, render_markdown
from srpo.types import CheckName, DraftSet, Record, Review, Sample

_NAMES: Final[tuple[CheckName, ...]] = get_args(CheckName)


class Share(Record):
    """A share with its Wilson interval (95 %); both none when nothing was counted."""

    hits: int = Field(ge=0)
    n: int = Field(ge=0)
    low: float | None
    high: float | None


class CheckFigures(Record):
    """How one check did.  A positive is a verdict that something is wrong."""

    name: CheckName
    judged: int = Field(description="verdicts that were reached")
    missing: int = Field(description="verdicts that were not; in none of the other figures")
    defects: int = Field(description="judged texts with the defect that the check looks for")
    precision: Share = Field(description="of the verdicts that something is wrong, those that are true")
    recall: Share = Field(description="of the defects, those that were found")


class StageFigures(Record):
    """Sets behind a stage; a set is right if all its cells are, as far as they have come."""

    stage: str
    right: Share


class ChecksReport(Record):
    """Table of one dataset of the embedded world."""

    checks: tuple[CheckFigures, ...]
    stages: tuple[StageFigures, ...]
    kept: Share = Field(description="records that people kept and that are right, of all that they kept")
    kept_sets: int = Field(description="minimal sets of which all four records were kept")


def measure_checks(run: Path, pool: Path) -> ChecksReport:
    """Hold every verdict of a dataset against the truth.

    Raises DataError if the folder holds no sets, or a picture is not of the pool.
    """
    folder, scenes = DatasetFolder(run), Scenes(pool, run)
    sets = last_sets(folder)
    if not sets:
        raise DataError(f"{run}: holds no sets; build them with srpo build")
    events = list(events_of(sets.values(), scenes))
    stages = [_stage(name, folder.stage(name), scenes) for name in CHAIN if folder.stage(name).exists()]
    if folder.sets.exists():
        stages.append(_stage("clean", folder.sets, scenes))
    samples = read_records(folder.samples, Sample) if folder.samples.exists() else []
    reviews = read_records(folder.reviews, Review) if folder.reviews.exists() else []
    kept = settle(samples, reviews).kept if reviews else ()
    right = [judge_sample(sample, scenes.of(picture_of(sample))).right for sample in kept]
    groups: dict[str, list[bool]] = {}
    for sample, good in zip(kept, right, strict=True):
        groups.setdefault(sample.group, []).append(good)
    whole = [all(found) for found in groups.values() if len(found) == 4]
    if reviews:
        stages.append(StageFigures(stage="review", right=share(whole)))
    return ChecksReport(
        checks=tuple(figures_of(name, [event for event in events if event.name == name]) for name in _NAMES),
        stages=tuple(stages),
        kept=share(right),
        kept_sets=len(whole),
    )


def figures_of(name: CheckName, events: Sequence[Event]) -> CheckFigures:
    """Precision and recall of one check."""
    judged = [event for event in events if event.state != "missing"]
    return CheckFigures(
        name=name,
        judged=len(judged),
        missing=len(events) - len(judged),
        defects=sum(event.defect for event in judged),
        precision=share([event.defect for event in judged if event.state == "fail"]),
        recall=share([event.state == "fail" for event in judged if event.defect]),
    )


def share(flags: Sequence[bool]) -> Share:
    """A share of flags."""
    interval = wilson(sum(flags), len(flags))
    low, high = (None, None) if interval is None else interval
    return Share(hits=sum(flags), n=len(flags), low=low, high=high)


def _stage(name: str, path: Path, scenes: Scenes) -> StageFigures:
    rows = iterate_records(path, DraftSet)
    return StageFigures(stage=name, right=share([_is_right(one, scenes) for one in rows]))


def _is_right(one: DraftSet, scenes: Scenes) -> bool:
    return all(judge_draft(draft, scenes.of(draft.image)).right for draft in one.cells.values())


def tables_of(report: ChecksReport) -> tuple[Table, Table]:
    """The checks, and the sets behind each stage."""
    checks = tuple(
        (c.name, c.judged, c.missing, c.defects, percent(c.precision), percent(c.recall)) for c in report.checks
    )
    stages = tuple((row.stage, row.right.n, percent(row.right)) for row in report.stages)
    columns = ("check", "judged", "missing", "defects", "precision", "recall")
    return (
        Table("checks", "Verdicts of the checks, held against the truth", columns, checks),
        Table("stages", "Sets behind each stage", ("after", "sets", "sets that are right"), stages),
    )


def kept_line(report: ChecksReport) -> str:
    """What people made of it."""
    return f"Records kept by people and right: {percent(report.kept)}; whole minimal sets kept: {report.kept_sets}."


def render_checks(report: ChecksReport) -> str:
    """All of it in Markdown."""
    return "\n".join((*map(render_markdown, tables_of(report)), kept_line(report))) + "\n"


def percent(found: Share) -> str:
    """`97.3 % (96.0 to 98.2), 720 of 740`."""
    if found.low is None or found.high is None:
        return "nothing to count"
    value = 100 * found.hits / found.n
    return f"{value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f}), {found.hits} of {found.n}"
