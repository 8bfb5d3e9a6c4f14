"""Which numbers of a report become which plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, NonNegativeInt, TypeAdapter, ValidationError

from srpo.errors import DataError
from srpo.report.charts import Bar, BarGroup, Line, Stack, Words, bar_chart, line_chart, nice_maximum, stacked_chart
from srpo.report.table import DECODINGS, Decoding, ordered_metrics, pairs_of
from srpo.report.wording import DASH, NOT_SCORED, known, percent, words_of
from srpo.steps import STEP_NAMES, TITLES
from srpo.types import Metric, Report

PERCENT_TICKS: Final = ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %"))
SPLIT_METRICS: Final = ("safe", "effective_benign", "joint4")
PARTS: Final = ("favourable", "unfavourable", "neutral", "missing", "repeated")
_PARTS_IN_WORDS: Final = {
    "favourable": "favourable",
    "unfavourable": "unfavourable",
    "neutral": "neutral",
    "missing": "not judged",
    "repeated": "repeated text",
}
_STEP_LABELS: Final = {
    **{name: f"{i} {TITLES[name]}" for i, name in enumerate(STEP_NAMES, 1)},
    "answer": "Reply",
}
_NO_STEP: Final = {"never": "Never unsafe", "unjudged": "An earlier step is not judged"}
_NARROW: Final = 0.03
"""Intervals below this width are printed with one more digit."""
_CURVES: Final = {"loss": "loss", "reference_loss": "reference part", "contrast_loss": "contrast part"}


T = TypeVar("T")


class Figure(NamedTuple):
    """A plot with its words, its legend (style class and words) and the numbers behind it."""

    title: str
    caption: str
    svg: Markup
    legend: tuple[tuple[str, str], ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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


def overview_figure(report: Report, decoding: Decoding) -> Figure | None:
    """Every measure of every system, with intervals."""
    systems = report.systems if decoding == "greedy" else report.sampled
    names = [name for name in series_of(report) if name in systems]
    metrics = ordered_metrics([metric for name in names for metric in systems[name]])
    groups = [_group(words_of(m).label, {name: systems[name].get(m) for name in names}) for m in metrics]
    what = "Every measure before and after training; whiskers are 95 % intervals."
    return _bars(f"overview-{decoding}", DECODINGS[decoding], what, names, groups)


def split_figures(report: Report) -> list[Figure]:
    """One small plot per main measure, one group of bars per split."""
    figures = []
    for metric in SPLIT_METRICS:
        splits = {split: _with_metric(systems, metric) for split, systems in report.splits.items()}
        names = [name for name in series_of(report) if any(name in found for found in splits.values())]
        groups = [_group(split, {name: found.get(name) for name in names}) for split, found in splits.items()]
        words = words_of(metric)
        figures.append(_bars(f"split-{metric}", words.label, f"{words.items}, split by split", names, groups))
    return [figure for figure in figures if figure]


def failing_step_figure(report: Report) -> Figure | None:
    """Where the reasoning first turns unsafe, as counts."""
    counts = report.first_failing_step
    names = [name for name in series_of(report) if name in counts]
    found = dict.fromkeys(step for name in names for step in counts[name])
    steps = [s for s in _STEP_LABELS if s in found] + [s for s in found if s not in _STEP_LABELS and s not in _NO_STEP]
    if not steps:
        return None
    top = nice_maximum(max(counts[n].get(s, 0) for n in names for s in steps))
    groups = [BarGroup(_STEP_LABELS.get(s, s), tuple(_count_bar(n, counts[n].get(s, 0)) for n in names)) for s in steps]
    ticks = [(top * part, f"{top * part:g}") for part in (0.0, 0.5, 1.0)]
    title = "First unsafe step"
    caption = "How many jointly unsafe items first turn unsafe at each step, greedy decoding."
    rest = {words: tuple(str(counts[n].get(key, 0)) for n in names) for key, words in _NO_STEP.items() if key in found}
    for words, numbers in rest.items():
        caption += f" {words}: " + ", ".join(f"{n} {number}" for n, number in zip(names, numbers, strict=True)) + "."
    chart = bar_chart(Words("first-step", title, caption), groups, top, ticks)
    rows = [(g.label, *(bar.text for bar in g.bars)) for g in groups]
    rows += [(words, *numbers) for words, numbers in rest.items()]
    return Figure(title, caption, chart, _legend(names), ("step", *names), tuple(rows))


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


def series_of(report: Report) -> list[str]:
    """Systems in the order of their colours: the baseline, then the others."""
    pairs = pairs_of(report)
    return [pairs[0].baseline, *(pair.system for pair in pairs)] if pairs else list(report.systems)


def _bars(key: str, title: str, caption: str, names: Sequence[str], groups: Sequence[BarGroup]) -> Figure | None:
    if not groups or not names:
        return None
    chart = bar_chart(Words(key, title, caption), groups, 1.0, PERCENT_TICKS)
    rows = tuple((g.label, *(f"{bar.text} {bar.detail}".strip() for bar in g.bars)) for g in groups)
    return Figure(title, caption, chart, _legend(names), ("", *names), rows)


def _with_metric(systems: Mapping[str, Mapping[str, Metric]], metric: str) -> dict[str, Metric]:
    return {name: metrics[metric] for name, metrics in systems.items() if metric in metrics}


def _group(label: str, metrics: Mapping[str, Metric | None]) -> BarGroup:
    return BarGroup(label, tuple(_bar(name, metric) for name, metric in metrics.items()))


def _bar(name: str, metric: Metric | None) -> Bar:
    if metric is None or metric.value is None or not known(metric.value):
        return Bar(name, None, NOT_SCORED)
    detail = ""
    if metric.low is not None and metric.high is not None:
        digits = 1 if metric.high - metric.low < _NARROW else 0
        detail = f"({100 * metric.low:.{digits}f}{DASH}{100 * metric.high:.{digits}f})"
    return Bar(name, metric.value, percent(metric.value), metric.low, metric.high, detail)


def _count_bar(name: str, count: int) -> Bar:
    return Bar(name, float(count), str(count))


def _legend(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"s{i % 4}", name) for i, name in enumerate(names))


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
