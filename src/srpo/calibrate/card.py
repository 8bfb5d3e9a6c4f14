"""A judge's labels beside those of people: the judge card, and the agreement of people among themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from srpo.calibrate.figures import BOOTSTRAP, Both, corrected, kappa, metric, rate
from srpo.calibrate.human import LabelFile
from srpo.records import file_sha256, seed_of
from srpo.stats import Category, krippendorff_alpha
from srpo.types import JudgeCard, Metric, Record


class About(NamedTuple):
    """What a card says of the judge apart from its labels."""

    judge: str
    date: str | None = None
    """ISO 8601 day."""
    prompts_sha256: str | None = None
    temperature: float | None = None
    flip_rate: Metric | None = None
    probes: Mapping[str, Metric] = {}


class Agreement(Record):
    """How far people agree with one another."""

    record: Literal["agreement"] = "agreement"
    flag: str
    labelled: str = Field(description="data set and its SHA-256")
    annotators: tuple[str, ...]
    confusion: dict[str, int] = Field(description="`both`, `first only`, `second only`, `neither`; two annotators only")
    kappa: Metric | None = Field(description="of the flag, two annotators only")
    kappa_classes: Metric | None = Field(description="of the file's own labels, two annotators only")
    alpha: Metric = Field(description="Krippendorff's, of the flag, all annotators")
    rate: Metric = Field(description="flags up by the final label")


def judge_card(file: LabelFile, judge: Sequence[bool | None], about: About, *, seed: int, subset: int) -> JudgeCard:
    """The card of a judge whose flags are given in the order of the file's rows.

    What compares the two counts the rows that people have labelled.  If they have labelled all, the corrected rates may
    use `subset` of these labels; 0 = none.  All intervals draw clusters.  Raises ValueError if the lengths differ.
    """
    if len(judge) != len(file.rows):
        raise ValueError(f"{len(judge)} labels of the judge for {len(file.rows)} items")
    rows = both(file, judge)
    labelled = [(row.people, row.judge, row.cluster) for row in rows if row.people is not None]
    people, flags = [person for person, *_ in labelled], [flag for _, flag, _ in labelled]
    clusters = [name for *_, name in labelled]

    def seeded(name: str) -> int:
        return seed_of(seed, "card", name)

    return JudgeCard(
        **{**about._asdict(), "probes": dict(about.probes)},
        flag=file.flag,
        calibrated_on=_named(file),
        confusion=_confusion(people, flags),
        kappa=kappa(people, flags, clusters, seeded("kappa")),
        sensitivity=_share(flags, people, clusters, seeded("sensitivity")),
        specificity=_share(_not(flags), _not(people), clusters, seeded("specificity")),
        precision=_share(people, flags, clusters, seeded("precision")),
        human_rate=rate(people, clusters, seeded("human rate")),
        judge_rate=rate(judge, file.clusters, seeded("judge rate")),
        corrected=corrected(rows, subset, seeded("corrected")),
        between_people=_between(file, seeded("between people")) if len(file.annotators) == 2 else None,
    )


def both(file: LabelFile, judge: Sequence[bool | None]) -> list[Both]:
    """The rows of a file with the judge's flags."""
    ids = [row.id for row in file.rows]
    return [Both(*row) for row in zip(ids, file.people, judge, file.clusters, strict=True)]


def agreement(file: LabelFile, *, seed: int) -> Agreement | None:
    """What the annotators of a file say of one another; none if it has fewer than two."""
    if len(file.annotators) < 2:
        return None
    two = len(file.annotators) == 2
    flags, names = _flags(file), list(zip(*(row.people for row in file.rows), strict=True))
    return Agreement(
        flag=file.flag,
        labelled=_named(file),
        annotators=file.annotators,
        confusion=_both(flags[0], flags[1]) if two else {},
        kappa=_between(file, seed_of(seed, "flag")) if two else None,
        kappa_classes=kappa(names[0], names[1], file.clusters, seed_of(seed, "classes")) if two else None,
        alpha=_alpha(flags, file.clusters, seed_of(seed, "alpha")),
        rate=rate(file.people, file.clusters, seed_of(seed, "rate")),
    )


def _named(file: LabelFile) -> str:
    return f"{file.path.name}, sha256 {file_sha256(file.path)}"


def _flags(file: LabelFile) -> list[list[bool | None]]:
    """Flags of each annotator, [annotators][rows]."""
    rows = [[None if label is None else label in file.positive for label in row.people] for row in file.rows]
    return [list(column) for column in zip(*rows, strict=True)]


def _between(file: LabelFile, seed: int) -> Metric:
    first, second = _flags(file)
    return kappa(first, second, file.clusters, seed)


def _alpha(flags: Sequence[Sequence[bool | None]], clusters: Sequence[str], seed: int) -> Metric:
    columns: list[list[Category | None]] = [list(column) for column in flags]
    paired = sum(sum(label is not None for label in unit) > 1 for unit in zip(*flags, strict=True))
    found = krippendorff_alpha(columns, clusters=clusters, seed=seed)
    method = BOOTSTRAP.format(len(set(clusters))) if found.interval else "no interval: one cluster or no spread"
    return metric(found, paired, len(clusters) - paired, method)


def _share(values: Sequence[bool | None], among: Sequence[bool | None], clusters: Sequence[str], seed: int) -> Metric:
    """Rate of `values` over the items for which `among` is true."""
    chosen = [i for i, wanted in enumerate(among) if wanted]
    return rate([values[i] for i in chosen], [clusters[i] for i in chosen], seed)


def _not(flags: Sequence[bool | None]) -> list[bool | None]:
    return [None if flag is None else not flag for flag in flags]


def _confusion(people: Sequence[bool], judge: Sequence[bool | None]) -> dict[str, int]:
    counts = Counter(zip(people, judge, strict=True))
    return {
        "true positive": counts[True, True],
        "false positive": counts[False, True],
        "true negative": counts[False, False],
        "false negative": counts[True, False],
        "unscored": counts[True, None] + counts[False, None],
    }


def _both(first: Sequence[bool | None], second: Sequence[bool | None]) -> dict[str, int]:
    counts = Counter(zip(first, second, strict=True))
    names = {"both": (True, True), "first only": (True, False), "second only": (False, True), "neither": (False, False)}
    return {name: counts[pair] for name, pair in names.items()}
