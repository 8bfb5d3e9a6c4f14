"""One standalone HTML file: no network, no script, and text of models and data sets that can do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from srpo.report.breakdowns import breakdowns
from srpo.report.examples import CHANGES, HOW_CHOSEN, Example
from srpo.report.figures import exploration_figures, training_figures
from srpo.report.headline import panels
from srpo.report.judging import judging_parts
from srpo.report.public import lonely_rates, public_parts
from srpo.report.reasoning import (
    failing_step_figure,
    faithfulness_changes,
    faithfulness_figure,
    naming_figures,
    probe_figures,
    repeat_figure,
    risk_step_figure,
    squares,
)
from srpo.report.shell import content_policy, environment, show_hidden, style_sheet
from srpo.report.summary import summary, tiles, warnings
from srpo.report.systems import system_figures
from srpo.report.table import ordered_metrics
from srpo.report.trees import ForkView, TreeView, draw_tree, forks_of
from srpo.report.views import CELL_WORDS, CHANGE_KEYS, KIND_ICONS, KIND_WORDS, data_uri, sets_of
from srpo.report.wording import DASH, clip, duration, words_of
from srpo.types import CELLS, Report


class TreeDrawing(NamedTuple):
    """One tree, drawn and in words."""

    title: str
    """When the model wrote it."""
    drawing: Markup
    forks: tuple[ForkView, ...]
    kept: int


class TreePanel(NamedTuple):
    """A sample with its trees, the earliest first."""

    question: str
    cell: str
    words: str
    image: str | None
    drawings: tuple[TreeDrawing, ...]


def render_page(
    report: Report,
    examples: Sequence[Example] = (),
    trees: Sequence[TreeView] = (),
    *,
    title: str | None = None,
    command: str = "srpo demo",
    items: str | None = None,
) -> str:
    """The whole report as one HTML file.

    `examples` should come from `choose_examples` and `load_images`: the page says how they were chosen.
    `command` is printed as the way to make the run again.  `items` is the page of all items, as an address relative
    to this one; with it every number links to the items behind it.  Raises DataError if the exploration or training
    part of the report has a shape this version does not know.
    """
    sheet = Markup(style_sheet("evaluation.css"))
    parts: dict[str, Any] = {
        "title": title or _title(report),
        "command": command,
        "style": sheet,
        "policy": content_policy(sheet),
        "items": items,
    }
    parts |= _result_parts(report, items) | _reasoning_parts(report, items)
    parts |= judging_parts(report, items) | {"benchmarks": public_parts(report, items), "lonely": lonely_rates(report)}
    parts |= _example_parts(examples) | {"trees": [_tree(v, i) for i, v in enumerate(trees)]}
    page = environment().get_template("report.html.j2").render(parts | _about_parts(report))
    return show_hidden(page)


def _title(report: Report) -> str:
    return "Before and after reasoning-path optimisation" if report.training else "Safety of reasoning and replies"


def _result_parts(report: Report, items: str | None) -> dict[str, Any]:
    return {
        "summary": summary(report),
        "warnings": warnings(report),
        "tiles": tiles(report, items),
        "panels": panels(report, items),
        "systems": system_figures(report, items),
        "breakdowns": breakdowns(report, items),
        "exploration": exploration_figures(report),
        "training": training_figures(report),
    }


def _reasoning_parts(report: Report, items: str | None) -> dict[str, Any]:
    steps = [failing_step_figure(report, items), risk_step_figure(report, items), *naming_figures(report, items)]
    effects = [faithfulness_figure(report, items), faithfulness_changes(report)]
    repeated = repeat_figure(report, items)
    return {
        "squares": squares(report, items),
        "steps": [figure for figure in steps if figure],
        "repeats": [repeated] if repeated else [],
        "probes": probe_figures(report, items),
        "faithfulness": [figure for figure in effects if figure],
    }


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
        "how_chosen": " ".join([HOW_CHOSEN, *_compared(examples)]),
        "kinds": [(kind, KIND_ICONS[kind], KIND_WORDS[kind]) for kind in KIND_ICONS],
    }


def _compared(examples: Sequence[Example]) -> list[str]:
    names = [output.system for output in examples[0].outputs[:2]] if examples else []
    return [f"What changed is told from “{names[0]}” to “{names[1]}”."] if len(names) > 1 else []


def _tree(view: TreeView, number: int) -> TreePanel:
    return TreePanel(
        question=clip(view.sample.question, 1000),
        cell=view.sample.cell,
        words=CELL_WORDS[view.sample.cell],
        image=data_uri(view.image_png),
        drawings=tuple(_drawing(one, f"tree-{number}-{one.round}") for one in (view, view.later) if one),
    )


def _drawing(view: TreeView, key: str) -> TreeDrawing:
    trained = view.round - 1
    times = "a round" if trained == 1 else f"{trained} rounds"
    title = f"After {times} of training" if trained else "Before training"
    return TreeDrawing(title, draw_tree(view, key), tuple(forks_of(view)), len(view.kept))


def _methods(report: Report, rate: str) -> str:
    """How the intervals of all systems were computed."""
    found = [rates[rate].method for rates in report.systems.values() if rate in rates and rates[rate].n]
    return "; ".join(dict.fromkeys(found)) or DASH


def _about_parts(report: Report) -> dict[str, Any]:
    names = ordered_metrics([metric for metrics in report.systems.values() for metric in metrics])
    facts = [("Seed", str(report.seed)), ("Judge", report.judge), ("Configuration, SHA-256", report.config_sha256)]
    facts += [(f"Version of {name}", version) for name, version in report.versions.items()]
    scalars = {k: v for k, v in report.training.items() if isinstance(v, str | int | float)}
    facts += [(f"Training: {key}", str(value)) for key, value in scalars.items()]
    seconds = [(stage, duration(value)) for stage, value in report.seconds.items()]
    methods = {name: _methods(report, name) for name in names}
    return {
        "definitions": [(words_of(name), methods.get(name, DASH)) for name in names],
        "facts": facts,
        "seconds": seconds,
        "all_seconds": duration(sum(report.seconds.values())),
    }
