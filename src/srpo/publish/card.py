"""The dataset card: a head that hubs read, and a page for people, both made from the data.

Every text that comes from data, files or models is shown as it is and never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

import yaml

from srpo.publish import figures
from srpo.publish.audit import BOUND, CHANCE, Audit
from srpo.publish.licences import OTHER, Strictest
from srpo.publish.material import Material
from srpo.publish.rows import GATED, VERSION, Row, Tier, pseudonyms
from srpo.review.agreement import AgreementTable
from srpo.tables import Table, render_markdown

_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
"""Ends of the size classes that hubs know."""

_MARKS: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$>])")
_UNSEEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True)
class Release:
    """All that the card and the metadata say."""

    material: Material
    rows: Sequence[Row]
    tier: Tier
    agreement: AgreementTable
    audit: Audit | None
    """None = not asked for."""

    @property
    def licence(self) -> Strictest:
        return self.material.licence

    @property
    def name(self) -> str:
        return self.material.config.name

    @property
    def licences(self) -> list[str]:
        """Of the rows and of their pictures."""
        return sorted({row.licence for row in self.rows} | {row.picture.licence for row in self.rows})

    @property
    def warnings(self) -> list[str]:
        return figures.warnings(self.material, self.rows)


def plain(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line, without characters that turn text around."""
    line = " ".join(_seen(text).split())
    line = _MARKS.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
    return line.replace("@", "&#64;").replace("://", "&#58;//")


def render_card(release: Release) -> str:
    """README.md of the published folder."""
    head = yaml.safe_dump(_head(release), sort_keys=False, allow_unicode=False)
    template = resources.files("srpo.publish").joinpath("card.md").read_text(encoding="utf-8")
    parts = {name: "\n\n".join(paragraphs) for name, paragraphs in _parts(release)}
    page = re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], template)
    page = re.sub(r"\n{3,}", "\n\n", page)
    return f"---\n{head}---\n{page}"


def _head(release: Release) -> dict[str, object]:
    """What hubs read: licence, tasks, size, and where the splits lie."""
    licence: dict[str, object] = {"license": release.licence.hub_name}
    if release.licence.licence == OTHER:
        licence |= {"license_name": "several", "license_link": "README.md#licence"}
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in release.material.splits]
    return {
        "pretty_name": release.name,
        **licence,
        "task_categories": ["image-text-to-text", "visual-question-answering"],
        "size_categories": [_size_class(len(release.rows))],
        "tags": ["safety", "multimodal", "reasoning", "alignment", "ssui", "croissant"],
        "configs": [{"config_name": "default", "data_files": files}],
    }


def _parts(release: Release) -> Iterator[tuple[str, list[str]]]:
    """Name of a place in the template -> its paragraphs."""
    rows, splits = release.rows, release.material.splits
    yield "name", [plain(release.name)]
    yield "summary", [_summary(release)]
    yield "warnings", [_list([plain(one) for one in release.warnings]) or "None."]
    yield "tier", [_tier(release.tier)]
    yield "schema", [VERSION]
    yield "sizes", [_table(figures.sizes_table(rows, splits)), _table(figures.balance_table(rows, splits))]
    yield "lengths", [_table(figures.lengths_table(rows))]
    yield "people", _people(release)
    yield "checks", [_table(figures.checks_table(rows)), _table(figures.judges_table(rows))]
    yield "rejections", [_table(figures.rejections_table(release.material)) or "Nothing is recorded as dropped."]
    yield "costs", [_table(figures.costs_table(release.material)) or "No calls are recorded."]
    yield "calls", [_table(figures.calls_table(rows)) or "No calls are recorded."]
    yield "audit", _audit(release.audit)
    yield "licence", [_licence(release)]
    yield "sources", [_table(figures.sources_table(rows))]


def _summary(release: Release) -> str:
    sets = len({row.set for row in release.rows})
    pictures = len({row.image_sha256 for row in release.rows})
    return f"{len(release.rows)} samples in {sets} minimal sets, with {pictures} pictures."


def _tier(tier: Tier) -> str:
    gated = " and ".join(f"`{name}`" for name in GATED)
    if tier == "open":
        return f"This is the open tier: it has no {gated}, and no reasons of judges."
    return f"This is the full tier, with {gated}, which show what harm looks like.  Give it to those who need it."


def _people(release: Release) -> list[str]:
    material, found = release.material, release.agreement
    if not material.reviews:
        return ["**No person has reviewed this release.**"]
    adjudicated = sum(review.role == "adjudicator" for review in material.reviews)
    facts = (
        f"Decisions that count: {len(material.reviews) - adjudicated} of {len(found.reviewers)} reviewers, "
        f"{found.blind} of them blind to other votes and to checks of machines, and {adjudicated} of adjudicators.  "
        f"Published samples that a person edited after the checks: {len(material.edited)}."
    )
    votes = _table(figures.votes_table(material))
    if not found.figures:
        return [facts, votes, "Agreement cannot be told: no two reviewers have decided the same samples."]
    return [facts, votes, _table(figures.agreement_table(found, pseudonyms(material.history)))]


def _audit(found: Audit | None) -> list[str]:
    if found is None:
        return ["**Not made for this release.**"]
    intro = (
        f"Classifiers that see one modality were trained on some sets and asked about others ({found.sets} sets, "
        f"{found.complete_sets} of them with all four cells, in {found.clusters} clusters that share no picture; seed "
        f"{found.seed}).  Chance is {CHANCE:g}.  In complete sets one modality cannot get past {BOUND:.3f} (5/6).  "
        "The sum of words and pixels can reach 1, because a sum solves an AND; it is no defect by itself."
    )
    tables = [figures.audit_table(found), figures.shortcuts_table(found), figures.openings_table(found)]
    return [intro, *([plain(found.note)] if found.note else []), *filter(None, map(_table, tables))]


def _licence(release: Release) -> str:
    found = release.licence
    named = ", ".join(map(plain, release.licences))
    every = f"Every row names its own licence and that of its picture; there are: {named}."
    if found.unknown:
        return f"{every}  Not known to the order of licences: {', '.join(map(plain, found.unknown))}."
    if found.clash:
        return f"{every}  These cannot hold for one work together: {', '.join(map(plain, found.clash))}."
    return f"{every}  The strictest is {plain(found.licence)} (asks for: {found.demand})."


def _table(table: Table) -> str:
    """The table; nothing if it has no rows."""
    rows = tuple(tuple(_seen(cell) if isinstance(cell, str) else cell for cell in row) for row in table.rows)
    return render_markdown(replace(table, rows=rows)) if rows else ""


def _seen(text: str) -> str:
    return _UNSEEN.sub("\ufffd", text)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _size_class(n: int) -> str:
    """As hubs write it."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")
    return names[sum(n >= end for end in _SIZES)]
