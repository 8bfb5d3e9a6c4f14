"""The overview of all rates, and the plots of exploration and training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, NonNegativeInt, TypeAdapter, ValidationError

from srpo.errors import DataError
from srpo.report.charts import Line, Stack, Words, line_chart, stacked_chart
from srpo.report.figure import Figure, bars_figure, dots_figure, group_of
from srpo.report.table import DECODINGS, Decoding, ordered_metrics, series_of
from srpo.report.wording import words_of
from srpo.types import Report

BARS_AT_MOST: Final = 2
"""With more systems the plots of rates show marks instead of bars, which stay readable side by side."""
PARTS: Final = ("favourable", "unfavourable", "neutral", "missing", "repeated")
_PARTS_IN_WORDS: Final = {
    "favourable": "favourable",
    "unfavourable": "unfavourable",
    "neutral": "neutral",
    "missing": "not judged",
    "repeated": "repeated text",
}
_CURVES: Final = {"loss": "loss", "reference_loss": "reference part", "contrast_loss": "contrast part"}


T = TypeVar("T")


class PrefixYield(BaseModel):
    """What exploration found under one prefix, as the report stores it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prefix: NonNegativeInt
    branches: NonNegativeInt
    favourable: NonNegativeInt
    unfavourable: NonNegativeInt
    neutral: NonNegativeInt
    missing: NonNegativeInt
    kept: NonNegativeInt

    @property
    def parts(self) -> tuple[int, ...]:
        judged = (self.favourable, self.unfavourable, self.neutral, self.missing)
        return (*judged, max(0, self.branches - sum(judged)))


class Update(BaseModel):
    """One line of the training log."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    step: int
    loss: float | None = None
    reference_loss: float | None = None
    contrast_loss: float | None = None
    accuracy: float | None = None


_YIELDS: Final = TypeAdapter(list[PrefixYield])
_LOG: Final = TypeAdapter(list[Update])


def overview_figure(report: Report, decoding: Decoding, items: str | None = None) -> Figure | None:
    """Every measure of every system, with intervals: bars for two systems, marks for more."""
    systems = report.systems if decoding == "greedy" else report.sampled
    names = [name for name in series_of(report) if name in systems]
    groups = []
    for metric in ordered_metrics([metric for name in names for metric in systems[name]]):
        values = {name: systems[name].get(metric) for name in names}
        groups.append(group_of(words_of(metric).label, values, items, metric=metric, decoding=decoding))
    draw, kind = (bars_figure, "whiskers") if len(names) <= BARS_AT_MOST else (dots_figure, "lines")
    who = "before and after training" if report.training and len(names) == BARS_AT_MOST else "of every system"
    what = f"Every measure {who}; {kind} are 95 % intervals."
    return draw(f"overview-{decoding}", DECODINGS[decoding], what, names, groups)


def exploration_figures(report: Report) -> list[Figure]:
    """Outcomes of the sampled branches and contrasts kept, per prefix: all, jointly unsafe and harmless cells."""
    titles = {"prefixes": "All items", "hazard": "Jointly unsafe items", "benign": "Harmless items"}
    later = sorted((key for key in report.exploration if key.startswith("round_")), key=lambda key: int(key[6:]))
    titles |= {key: f"All items, round {key[6:]}" for key in later}
    figures = []
    for key, title in titles.items():
        yields = exploration_yields(report, key)
        if yields:
            figures.append(_yield_figure(key, title, yields))
    return figures


def exploration_yields(report: Report, key: str = "prefixes") -> list[PrefixYield]:
    """Exploration counts of the report.  Raises DataError if they have another shape."""
    return _validated(_YIELDS, report.exploration.get(key) or [], f"exploration.{key}")


def training_log(report: Report) -> list[Update]:
    """Training log of the report.  Raises DataError if it has another shape."""
    return _validated(_LOG, report.training.get("log") or [], "training.log")


def training_figures(report: Report) -> list[Figure]:
    """Losses, and how often the favourable branch is preferred, over the updates."""
    log = training_log(report)
    lines = [Line(words, _points(log, key)) for key, words in _CURVES.items()]
    accuracy = [Line("accuracy", _points(log, "accuracy"))]
    figures = []
    if any(line.points for line in lines):
        caption = "Training loss and its two parts: the reference path, and the contrasts before their weight."
        chart = line_chart(Words("loss", "Loss", caption), lines)
        figures.append(_curves("Loss", caption, chart, lines))
    if accuracy[0].points:
        caption = "Share of contrasts in which the model gives the favourable branch the higher odds."
        chart = line_chart(Words("accuracy", "Contrasts ordered rightly", caption), accuracy, 1.0, as_percent=True)
        figures.append(_curves("Contrasts ordered rightly", caption, chart, accuracy))
    return figures


def _yield_figure(key: str, title: str, yields: Sequence[PrefixYield]) -> Figure:
    stacks = [Stack(str(y.prefix), y.parts, y.kept) for y in yields]
    branches, kept = sum(sum(y.parts) for y in yields), sum(y.kept for y in yields)
    caption = f"{branches} branches, {kept} contrasts kept. Columns: reference steps given before the model went on."
    shown = [i for i, part in enumerate(PARTS) if part != "repeated" or any(y.parts[i] for y in yields)]
    legend = (*((f"o-{PARTS[i]}", _PARTS_IN_WORDS[PARTS[i]]) for i in shown), ("marked", "contrasts kept"))
    header = ("steps given", *(_PARTS_IN_WORDS[PARTS[i]] for i in shown), "contrasts kept")
    rows = tuple((str(y.prefix), *(str(y.parts[i]) for i in shown), str(y.kept)) for y in yields)
    chart = stacked_chart(Words(f"yield-{key}", title, caption), stacks, PARTS)
    return Figure(title, caption, chart, legend, header, rows)


def _curves(title: str, caption: str, chart: Markup, lines: Sequence[Line]) -> Figure:
    drawn = [(i, line) for i, line in enumerate(lines) if line.points]
    rows = tuple((line.name, f"{line.points[0][1]:.4g}", f"{line.points[-1][1]:.4g}") for _, line in drawn)
    return Figure(title, caption, chart, tuple((f"c{i}", line.name) for i, line in drawn), ("", "first", "last"), rows)


def _points(log: Iterable[Update], key: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(u.step), value) for u in log if (value := getattr(u, key)) is not None)


def _validated(adapter: TypeAdapter[T], value: Any, where: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (where, *first["loc"]))
        raise DataError(f"report, {place}: {first['msg']}; write the report again with this version") from None
