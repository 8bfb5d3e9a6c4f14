"""One standalone HTML file: no network, no script, and text of models and data sets that can do nothing.

Three walls stand between a hostile text and the reader: jinja2 escapes every value, a last pass over the whole
page shows control characters and direction overrides as symbols, and the page's own policy forbids every
script, every request and every style sheet but the one whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from srpo.report.examples import CHANGES, HOW_CHOSEN, Example
from srpo.report.figures import (
    Figure,
    exploration_figures,
    failing_step_figure,
    overview_figure,
    split_figures,
    training_figures,
)
from srpo.report.summary import main_rows, summary, tiles, warnings
from srpo.report.table import DECODINGS, Decoding, HeadlineRow, Pair, headline_rows, ordered_metrics, views_of
from srpo.report.trees import ForkView, TreeView, draw_tree, forks_of
from srpo.report.views import CELL_WORDS, CHANGE_KEYS, KIND_ICONS, KIND_WORDS, data_uri, sets_of
from srpo.report.wording import (
    DASH,
    NOT_COMPARED,
    NOT_SCORED,
    Reading,
    bounds,
    clip,
    counted,
    duration,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    typeset,
    words_of,
)
from srpo.types import CELLS, Comparison, Metric, Report

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Characters that cannot be seen, end a file early, or turn the direction of the text around them."""


class MetricCell(NamedTuple):
    """A value with all that is needed to trust it, ready to print."""

    value: str
    interval: str
    counts: str
    bounds: str | None


class DifferenceCell(NamedTuple):
    """A paired difference, ready to print."""

    value: str
    interval: str
    p: str


class RowView(NamedTuple):
    """One line of the headline table."""

    label: str
    items: str
    before: MetricCell
    after: MetricCell
    difference: DifferenceCell
    reading: Reading


class TablePanel(NamedTuple):
    """Two systems side by side."""

    pair: Pair
    rows: tuple[RowView, ...]


class DecodingPanel(NamedTuple):
    """Tables and plot of one way of decoding."""

    key: Decoding
    title: str
    main: TablePanel
    others: tuple[TablePanel, ...]
    figure: Figure | None


class TreePanel(NamedTuple):
    """A drawn tree with its sample."""

    question: str
    cell: str
    words: str
    image: str | None
    drawing: Markup
    forks: tuple[ForkView, ...]
    kept: int


def render_page(
    report: Report,
    examples: Sequence[Example] = (),
    trees: Sequence[TreeView] = (),
    *,
    title: str = "Before and after reasoning-path optimisation",
    command: str = "srpo demo",
) -> str:
    """The whole report as one HTML file.

    `examples` should come from `choose_examples` and `load_images`: the page says how they were chosen.
    `command` is printed as the way to make the run again.  Raises DataError if the exploration or training
    part of the report has a shape this version does not know.
    """
    sheet = Markup(style_sheet())
    parts = {"title": title, "command": command, "style": sheet, "policy": content_policy(sheet)}
    parts |= _result_parts(report) | _example_parts(examples) | {"trees": [_tree(v, i) for i, v in enumerate(trees)]}
    page = _environment().get_template("report.html.j2").render(parts | _about_parts(report))
    return show_hidden(page)


def style_sheet() -> str:
    """The page's one style sheet."""
    return files("srpo.report").joinpath("templates", "report.css").read_text(encoding="utf-8")


def content_policy(sheet: str) -> str:
    """What a browser may do with the page: show it, its pictures and exactly this style sheet, nothing else."""
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def show_hidden(text: str) -> str:
    """Control characters and direction overrides as visible code points, so that they act on nothing."""
    return _HIDDEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def _environment() -> Environment:
    loader = PackageLoader("srpo.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _result_parts(report: Report) -> dict[str, Any]:
    return {
        "summary": summary(report),
        "warnings": warnings(report),
        "tiles": tiles(report),
        "panels": [panel for key in DECODINGS if (panel := _panel(report, key))],
        "splits": split_figures(report),
        "failing": failing_step_figure(report),
        "exploration": exploration_figures(report),
        "training": training_figures(report),
    }


def _panel(report: Report, decoding: Decoding) -> DecodingPanel | None:
    tables = [TablePanel(pair, _rows(report, pair, decoding)) for pair in views_of(report)]
    shown = [table for table in tables if table.rows]
    if not shown:
        return None
    figure = overview_figure(report, decoding)
    return DecodingPanel(decoding, DECODINGS[decoding], shown[-1], tuple(shown[:-1]), figure)


def _rows(report: Report, pair: Pair, decoding: Decoding) -> tuple[RowView, ...]:
    return tuple(_row(row) for row in headline_rows(report, pair, decoding))


def _row(row: HeadlineRow) -> RowView:
    before, after = _metric_cell(row.before), _metric_cell(row.after)
    return RowView(row.words.label, row.words.items, before, after, _difference_cell(row.comparison), row.reading)


def _metric_cell(metric: Metric | None) -> MetricCell:
    if metric is None:
        return MetricCell(NOT_SCORED, "", "", None)
    edges = bounds(metric)
    interval = percent_interval(metric.low, metric.high) if metric.value is not None else ""
    value = percent(metric.value)
    return MetricCell(typeset(value), typeset(interval), counted(metric), typeset(edges) if edges else None)


def _difference_cell(comparison: Comparison | None) -> DifferenceCell:
    if comparison is None or comparison.difference is None:
        return DifferenceCell(NOT_COMPARED if comparison is None else NOT_SCORED, "", "")
    interval = typeset(points_interval(comparison.low, comparison.high))
    return DifferenceCell(typeset(points(comparison.difference)), interval, p_value(comparison.p_value))


def _example_parts(examples: Sequence[Example]) -> dict[str, Any]:
    sets = sets_of(examples)
    cells = [(one.split, cell) for one in sets for cell in one.cells]
    splits = list(dict.fromkeys(one.split for one in sets))
    return {
        "sets": sets,
        "split_numbers": {name: number for number, name in enumerate(splits)},
        "cell_filters": [(c, CELL_WORDS[c], sum(cell.cell == c for _, cell in cells)) for c in CELLS],
        "change_filters": [(CHANGE_KEYS[c], c, sum(cell.change == c for _, cell in cells)) for c in CHANGES],
        "split_filters": [(i, name, sum(split == name for split, _ in cells)) for i, name in enumerate(splits)],
        "how_chosen": HOW_CHOSEN,
        "kinds": [(kind, KIND_ICONS[kind], KIND_WORDS[kind]) for kind in KIND_ICONS],
    }


def _tree(view: TreeView, number: int) -> TreePanel:
    return TreePanel(
        question=clip(view.sample.question, 1000),
        cell=view.sample.cell,
        words=CELL_WORDS[view.sample.cell],
        image=data_uri(view.image_png),
        drawing=draw_tree(view, f"tree-{number}"),
        forks=tuple(forks_of(view)),
        kept=len(view.kept),
    )


def _about_parts(report: Report) -> dict[str, Any]:
    names = ordered_metrics([metric for metrics in report.systems.values() for metric in metrics])
    facts = [("Seed", str(report.seed)), ("Judge", report.judge), ("Configuration, SHA-256", report.config_sha256)]
    facts += [(f"Version of {name}", version) for name, version in report.versions.items()]
    scalars = {k: v for k, v in report.training.items() if isinstance(v, str | int | float)}
    facts += [(f"Training: {key}", str(value)) for key, value in scalars.items()]
    seconds = [(stage, duration(value)) for stage, value in report.seconds.items()]
    methods = {row.metric: row.after.method for row in main_rows(report) if row.after}
    return {
        "definitions": [(words_of(name), methods.get(name, DASH)) for name in names],
        "facts": facts,
        "seconds": seconds,
        "all_seconds": duration(sum(report.seconds.values())),
    }
