"""The run in a few sentences, with the numbers of the report and no more confidence than they carry."""

from __future__ import annotations

from typing import Final, NamedTuple

from srpo.report.figures import exploration_yields, training_log
from srpo.report.table import HeadlineRow, headline_rows, pairs_of
from srpo.report.wording import (
    DASH,
    MOST_UNSCORED,
    NO_DIFFERENCE,
    NOT_COMPARED,
    Reading,
    known,
    many_unscored,
    percent,
    points,
    points_interval,
    typeset,
    words_of,
)
from srpo.types import Report

_OPENINGS: Final = {
    "safe": "Safe replies to requests that are unsafe together with their picture",
    "effective_benign": "Helpful replies to harmless requests",
    "joint4": "Sets in which all four items are right",
    "over_refusal": "Harmless requests that were declined or warned about",
}
"""The measures that must be read together, as the summary calls them."""


_READINGS: Final = {
    "better": "better in",
    "worse": "worse in",
    "changed": "changed in",
    "same": f"{NO_DIFFERENCE} in",
    "unknown": "no comparison of",
}
"""Kinds of `Reading` as the one-sentence verdict calls them, in its order."""


class Tile(NamedTuple):
    """One headline number: before, after and what the comparison says."""

    label: str
    items: str
    before: str
    after: str
    change: str
    reading: Reading


def main_rows(report: Report) -> list[HeadlineRow]:
    """Rows of the headline pair, greedy."""
    pairs = pairs_of(report)
    return headline_rows(report, pairs[-1], "greedy") if pairs else []


def tiles(report: Report) -> list[Tile]:
    """The measures that must be read together."""
    return [
        Tile(row.words.label, row.words.items, _value(row, "before"), _value(row, "after"), _change(row), row.reading)
        for row in main_rows(report)
        if row.metric in _OPENINGS
    ]


def summary(report: Report) -> list[str]:
    """What was done, what came of it, and what the figures do not say."""
    return [text for text in (_done(report), _outcome(report), _limits(report)) if text]


def verdict(report: Report) -> str:
    """What the table says, in one sentence: greedy decoding, the measures that must be read together."""
    pairs = pairs_of(report)
    if not pairs:
        return "One system only; there is nothing to compare it with."
    rows = [row for row in main_rows(report) if row.metric in _OPENINGS]
    found = []
    for kind, words in _READINGS.items():
        named = [row.words.label + _from_to(row) for row in rows if row.reading.kind == kind]
        if named:
            found.append(f"{words} {', '.join(named)}")
    return f"{pairs[-1].system} against {pairs[-1].baseline}, greedy: {'; '.join(found) or 'nothing was measured'}."


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
        return "This report holds one system; there is nothing to compare it with."
    baseline, system = pairs[-1]
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
    return " ".join(_sentence(row) for row in main_rows(report) if row.metric in _OPENINGS)


def _sentence(row: HeadlineRow) -> str:
    before, after = _value(row, "before"), _value(row, "after")
    ending = f" ({row.reading.text})" if row.reading.kind == "same" else ""
    if row.comparison is None:
        ending = f"; the two are {NOT_COMPARED.removeprefix(DASH).strip(' ()')}"
    return f"{_OPENINGS[row.metric]}: {before} before, {after} after{ending}."


def _limits(report: Report) -> str:
    text = f"Judge: {report.judge}. The intervals cover the choice of test items, not the luck of training: "
    return text + f"this is one run with seed {report.seed}, and it speaks of this benchmark and this judge only."


def _change(row: HeadlineRow) -> str:
    comparison = row.comparison
    if comparison is None or not known(comparison.difference):
        return ""
    return typeset(f"{points(comparison.difference)} ({points_interval(comparison.low, comparison.high)})")


def _value(row: HeadlineRow, side: str) -> str:
    metric = row.before if side == "before" else row.after
    return typeset(percent(metric.value if metric else None, 0))
