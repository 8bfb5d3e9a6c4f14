"""The run in a few sentences, with the numbers of the report and no more confidence than they carry."""

from __future__ import annotations

from typing import Final, NamedTuple

from srpo.rates import MOST_UNSCORED
from srpo.report.figure import Printed
from srpo.report.figures import exploration_yields, training_log
from srpo.report.links import items_link, linked
from srpo.report.table import HeadlineRow, Pair, headline_rows, ordered_metrics, pairs_of
from srpo.report.wording import (
    DASH,
    NO_DIFFERENCE,
    NOT_COMPARED,
    Reading,
    bounds,
    known,
    many_unscored,
    percent,
    points,
    points_interval,
    read_comparison,
    typeset,
    words_of,
)
from srpo.types import Metric, Report

_OPENINGS: Final = {
    "joint4": "Sets in which all four items are right",
    "safe": "Safe replies to requests that are unsafe together with their picture",
    "over_refusal": "Harmless requests that were declined or warned about",
    "effective_benign": "Helpful replies to harmless requests",
}
"""The measures that must be read together, as the summary calls them."""


ABILITY: Final = "vqa"
"""The benchmark that stands for general ability."""

_READINGS: Final = {
    "better": "better in",
    "worse": "worse in",
    "changed": "changed in",
    "same": f"{NO_DIFFERENCE} in",
    "unknown": "no comparison of",
}
"""Kinds of `Reading` as the one-sentence verdict calls them, in its order."""


class TileLine(NamedTuple):
    """One system's value on a tile; the baseline has no reading."""

    name: str
    value: Printed
    reading: Reading | None


class Tile(NamedTuple):
    """One headline number of every system, and what the comparisons with the baseline say."""

    label: str
    items: str
    lines: tuple[TileLine, ...]
    change: str


def main_rows(report: Report) -> list[HeadlineRow]:
    """Rows of the headline pair, greedy."""
    pairs = pairs_of(report)
    return headline_rows(report, pairs[-1], "greedy") if pairs else []


def tiles(report: Report, items: str | None = None) -> list[Tile]:
    """The measures that must be read together, one tile each."""
    pairs = pairs_of(report)
    rows = [{row.metric: row for row in headline_rows(report, pair, "greedy")} for pair in pairs]
    found = []
    for metric in ordered_metrics([metric for by_metric in rows for metric in by_metric]):
        shown = [
            (pair.system, by_metric[metric]) for pair, by_metric in zip(pairs, rows, strict=True) if metric in by_metric
        ]
        if metric in _OPENINGS:
            found.append(_tile(metric, pairs[0].baseline, shown, items))
    return [*found, *_ability(report, items)] if found else []


def _ability(report: Report, items: str | None) -> list[Tile]:
    """Right answers to picture questions of the user's own, beside safety: what a safer model may have lost."""
    scores = {score.system: score for score in report.benchmarks if score.benchmark == ABILITY}
    names = [name for name in report.systems if name in scores]
    if not names:
        return []
    compared = {c.system: c for c in report.comparisons if c.benchmark.startswith(f"{ABILITY} ")}
    lines = []
    for name in names:
        keys = {"benchmark": ABILITY, "protocol": scores[name].protocol, "metric": "accuracy"}
        link = items_link(items, system=name, decoding=scores[name].decoding, **keys)
        reading = None if name == names[0] else read_comparison(compared.get(name))
        lines.append(TileLine(name, linked(_value(scores[name].rates.get("accuracy")), link), reading))
    return [Tile("General ability", "picture questions", tuple(lines), "")]


def _tile(metric: str, baseline: str, shown: list[tuple[str, HeadlineRow]], items: str | None) -> Tile:
    first = shown[0][1]
    lines = [TileLine(baseline, _number(first.before, baseline, metric, items), None)]
    lines += [TileLine(name, _number(row.after, name, metric, items), row.reading) for name, row in shown]
    words = words_of(metric)
    return Tile(words.label, words.items, tuple(lines), _change(first) if len(shown) == 1 else "")


def _number(metric: Metric | None, system: str, name: str, items: str | None) -> Printed:
    return linked(_value(metric), items_link(items, system=system, metric=name, decoding="greedy"))


def summary(report: Report) -> list[str]:
    """What was done, what came of it, and what the figures do not say."""
    return [text for text in (_done(report), _outcome(report), _limits(report)) if text]


def verdict(report: Report) -> str:
    """What the table says, one sentence per comparison: greedy decoding, the measures that must be read together."""
    pairs = pairs_of(report)
    if not pairs:
        return "One system only; there is nothing to compare it with."
    return " ".join(_verdict(report, pair) for pair in pairs)


def _verdict(report: Report, pair: Pair) -> str:
    rows = [row for row in headline_rows(report, pair, "greedy") if row.metric in _OPENINGS]
    found = []
    for kind, words in _READINGS.items():
        named = [row.words.label + _from_to(row) for row in rows if row.reading.kind == kind]
        if named:
            found.append(f"{words} {', '.join(named)}")
    return f"{pair.system} against {pair.baseline}, greedy: {'; '.join(found) or 'nothing was measured'}."


def warnings(report: Report) -> list[str]:
    """Measures with so many unscored items that the comparison is not safe to read."""
    limit = f"{100 * MOST_UNSCORED:.0f} %"
    return [
        f"{words_of(metric).label} ({name}): more than {limit} of the items could not be judged; do not compare."
        for name, metrics in report.systems.items()
        for metric, value in metrics.items()
        if many_unscored(value)
    ]


def _from_to(row: HeadlineRow) -> str:
    values = [
        metric.value if metric is not None and known(metric.value) else None for metric in (row.before, row.after)
    ]
    texts = [DASH if value is None else percent(value) for value in values]
    return "" if texts == [DASH, DASH] else f" ({texts[0]} to {texts[1]})"


def _done(report: Report) -> str:
    pairs = pairs_of(report)
    if not pairs:
        return _on_benchmarks(report)
    return _trained(report, pairs[-1]) if report.training and len(pairs) == 1 else _compared(pairs)


def _on_benchmarks(report: Report) -> str:
    """Of runs without pairs on RSBench."""
    systems = list(dict.fromkeys(score.system for score in report.benchmarks))
    names = list(dict.fromkeys(score.benchmark for score in report.benchmarks))
    if not report.systems and len(systems) > 1:
        text = f"{len(systems)} systems answered the same items of {', '.join(names)}. "
        return text + f"The others are compared with “{systems[0]}”, item by item."
    return "This report holds one system; there is nothing to compare it with."


def _compared(pairs: list[Pair]) -> str:
    names = ", ".join(f"“{pair.system}”" for pair in pairs)
    text = (
        f"{len(pairs) + 1} systems met the same test items: pictures and requests that are harmless apart and unsafe "
    )
    verb = "is" if len(pairs) == 1 else "are"
    return text + f"together, and harmless look-alikes of them. {names} {verb} compared with “{pairs[0].baseline}”."


def _trained(report: Report, pair: Pair) -> str:
    baseline, system = pair
    text = f"A vision-language model (“{baseline}”) was trained into “{system}” on pictures and requests that are "
    text += "harmless apart and unsafe together, and on harmless look-alikes of them. "
    yields, log = exploration_yields(report), training_log(report)
    if yields:
        branches, kept = sum(sum(y.parts) for y in yields), sum(y.kept for y in yields)
        text += f"From {len(yields)} points of each reference reasoning the model went on by itself, {branches} times "
        text += "in all; a judge sorted these branches by their final reply, and "
        text += f"{kept} contrasts between a good and a bad one were kept. "
    if log:
        text += f"Training took {max(u.step for u in log)} updates. "
    return text + "Both systems then met the same test items."


def _outcome(report: Report) -> str:
    """The main measures in words; of more than two systems the tiles say it better."""
    pairs = pairs_of(report)
    if len(pairs) != 1:
        return ""
    names = ("before", "after") if report.training else tuple(f"with “{name}”" for name in pairs[0])
    return " ".join(_sentence(row, *names) for row in main_rows(report) if row.metric in _OPENINGS)


def _sentence(row: HeadlineRow, first: str, second: str) -> str:
    before, after = _value(row.before), _value(row.after)
    ending = f" ({row.reading.text})" if row.reading.kind == "same" else ""
    if row.comparison is None:
        ending = f"; the two are {NOT_COMPARED.removeprefix(DASH).strip(' ()')}"
    return f"{_OPENINGS[row.metric]}: {before} {first}, {after} {second}{ending}."


def _limits(report: Report) -> str:
    text = f"Judge: {report.judge}. The intervals cover the choice of test items, not the luck of training: "
    return text + f"this is one run with seed {report.seed}, and it speaks of this benchmark and this judge only."


def _change(row: HeadlineRow) -> str:
    comparison = row.comparison
    if comparison is None or not known(comparison.difference):
        return ""
    return typeset(f"{points(comparison.difference)} ({points_interval(comparison.low, comparison.high)})")


def _value(metric: Metric | None) -> str:
    """The value in whole percent; where too much is unscored its bounds, because the value is no headline."""
    edges = bounds(metric, 0) if metric and many_unscored(metric) else None
    return typeset(edges or percent(metric.value if metric else None, 0))
