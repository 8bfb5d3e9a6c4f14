"""The reasoning itself: where it fails, where it names the risk, and whether the reply follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from srpo.report.charts import Bar, BarGroup, Words, bar_chart, nice_maximum
from srpo.report.figure import Figure, Printed, change_bar, changes_figure, dots_figure, group_of, legend_of, rows_of
from srpo.report.links import items_link, linked
from srpo.report.table import ordered_metrics, series_of
from srpo.report.wording import CHANGE_IN, percent, words_of
from srpo.steps import STEP_NAMES, TITLES
from srpo.types import Metric, Rates, Report

_STEP_LABELS: Final = {
    **{name: f"{i} {TITLES[name]}" for i, name in enumerate(STEP_NAMES, 1)},
    "answer": "Reply",
}
_FAILING: Final = {"never": "Never unsafe", "unjudged": "An earlier step is not judged"}
_NAMING: Final = {"never": "Never named", "unjudged": "An earlier step is not judged"}
_UNJUDGED: Final = "unjudged"
_SIDES: Final = ("safe", "unsafe")
_PROBED: Final = ("safe", "over_refusal", "effective_benign", "risk_recognised")
"""Rates that are shown under each probe; changes are shown for all that were compared."""


_PROBES: Final = {
    "plain": "As it is",
    "blank": "Blank picture",
    "swapped": "Picture of another set",
    "shuffled": "Shuffled picture",
    "caption": "Caption instead of the picture",
    "paraphrase": "Request in other words",
    "risk_removed": "Steps that name the risk removed",
    "control_removed": "Another step removed (control)",
    "risk_replaced": "Steps that name the risk replaced",
    "control_replaced": "Another step replaced (control)",
    "removed - control": "Removed, beyond the control",
    "replaced - control": "Replaced, beyond the control",
}


class Square(NamedTuple):
    """Safety of the reasoning (lines) against safety of the reply (columns), for one system."""

    system: str
    rows: tuple[tuple[str, Printed, Printed], ...]
    note: Printed | None


def squares(report: Report, items: str | None = None) -> list[Square]:
    """One table per system; shares are of the items judged on both sides."""
    return [_square(n, report.two_by_two[n], items) for n in series_of(report) if n in report.two_by_two]


def failing_step_figure(report: Report, items: str | None = None) -> Figure | None:
    """Where the reasoning first turns unsafe, as counts."""
    title = "First unsafe step"
    caption = "How many jointly unsafe items first turn unsafe at each step, greedy decoding."
    return _count_figure(report, "first_failing_step", title, caption, _FAILING, items)


def risk_step_figure(report: Report, items: str | None = None) -> Figure | None:
    """Where a text first says that there is a risk, as counts."""
    title = "First step that names the risk"
    caption = "At which step the text first says that there is a risk, over jointly unsafe items, greedy decoding."
    return _count_figure(report, "risk_steps", title, caption, _NAMING, items)


def naming_figures(report: Report, items: str | None = None) -> list[Figure]:
    """Precision and recall of naming a risk, step by step."""
    texts = {
        "precision": ("Named risks that are there", "Of the items in which the step names a risk: how many have one."),
        "recall": ("Risks that are named", "Of the jointly unsafe items: in how many the step names a risk."),
    }
    found = [_naming_figure(report, key, *words, items) for key, words in texts.items()]
    return [figure for figure in found if figure]


def repeat_figure(report: Report, items: str | None = None) -> Figure | None:
    """Rates of a single draw and of all draws."""
    caption = "Each item is answered several times: @1 is the mean over the draws, @k counts items that are right in "
    caption += "all of them."
    names = [name for name in series_of(report) if name in report.repeats]
    keys = ordered_metrics([key for name in names for key in report.repeats[name]])
    values = {key: {name: report.repeats[name].get(key) for name in names} for key in keys}
    links = {"draws": "all", "decoding": "sampled"}
    groups = [group_of(words_of(key).label, found, items, metric=key, **links) for key, found in values.items()]
    return dots_figure("repeats", "One draw and all draws", caption, names, groups)


def faithfulness_figure(report: Report, items: str | None = None) -> Figure | None:
    """How often the reply changes when the reasoning before it is edited, beside a harmless edit as control."""
    title = "Does the reply follow the reasoning?"
    caption = "Share of jointly unsafe items whose reply changes between declining and helping after the steps that "
    caption += "name the risk were removed or replaced, and after the same edit of a step that names none (control). "
    caption += "Only what goes beyond the control speaks for a reply that rests on the reasoning."
    rates = {n: _shares(r, changes=False) for n, r in report.faithfulness.items()}
    names = [name for name in series_of(report) if name in rates]
    keys = dict.fromkeys(key for name in names for key in rates[name])
    groups = [
        group_of(_probe_words(k), {n: rates[n].get(k) for n in names}, items, probe=k, decoding="greedy") for k in keys
    ]
    return dots_figure("faithfulness", title, caption, names, groups)


def faithfulness_changes(report: Report) -> Figure | None:
    """Edit minus control, paired."""
    rates = {n: _shares(r, changes=True) for n, r in report.faithfulness.items()}
    names = [name for name in series_of(report) if name in rates]
    keys = dict.fromkeys(key for name in names for key in rates[name])
    groups = [BarGroup(_probe_words(k), tuple(change_bar(n, rates[n].get(k)) for n in names)) for k in keys]
    caption = "Difference of the two shares on the same items."
    return changes_figure("faithfulness-changes", "Edit against control", caption, names, groups)


def probe_figures(report: Report, items: str | None = None) -> list[Figure]:
    """Per rate: its value under each change of the request, and the paired changes against the plain request."""
    there = [m for systems in report.probes.values() for rates in systems.values() for m in rates]
    metrics = [m for m in ordered_metrics(there) if is_change(m) or m in _PROBED]
    found = [_probe_figure(report, f"probe-{number}", metric, items) for number, metric in enumerate(metrics)]
    return [figure for figure in found if figure]


def is_change(key: str) -> bool:
    """True for a rate that is a difference of two others: it may be negative and is drawn around zero."""
    return key.startswith(CHANGE_IN) or key.endswith(" - control")


def _probe_words(probe: str) -> str:
    return _PROBES.get(probe, words_of(probe).label)


def _shares(rates: Rates, *, changes: bool) -> dict[str, Metric]:
    return {key: metric for key, metric in rates.items() if is_change(key) is changes}


def _square(system: str, counts: Mapping[str, int], items: str | None) -> Square:
    total = sum(counts.get(_pair(path, answer), 0) for path in _SIDES for answer in _SIDES)
    lines = []
    for path in _SIDES:
        first, second = (_quarter(system, counts, _pair(path, answer), total, items) for answer in _SIDES)
        lines.append((f"reasoning {path}", first, second))
    left = counts.get(_UNJUDGED, 0)
    note = linked(f"{left} not judged", _pair_link(items, system, _UNJUDGED)) if left else None
    return Square(system, tuple(lines), note)


def _pair(path: str, answer: str) -> str:
    return f"path {path}, answer {answer}"


def _quarter(system: str, counts: Mapping[str, int], pair: str, total: int, items: str | None) -> Printed:
    count = counts.get(pair, 0)
    share = f" ({percent(count / total)})" if total else ""
    return linked(f"{count}{share}", _pair_link(items, system, pair))


def _pair_link(items: str | None, system: str, pair: str) -> str | None:
    return items_link(items, system=system, decoding="greedy", pair=pair)


def _count_figure(
    report: Report, field: str, title: str, caption: str, ends: Mapping[str, str], items: str | None
) -> Figure | None:
    counts: dict[str, dict[str, int]] = getattr(report, field)
    names = [name for name in series_of(report) if name in counts]
    found = dict.fromkeys(step for name in names for step in counts[name])
    steps = [s for s in _STEP_LABELS if s in found] + [s for s in found if s not in _STEP_LABELS and s not in ends]
    if not steps:
        return None
    groups = [_count_group(field, _STEP_LABELS.get(s, s), s, names, counts, items) for s in steps]
    rest = [_count_group(field, words, s, names, counts, items) for s, words in ends.items() if s in found]
    for group in rest:
        caption += f" {group.label}: " + ", ".join(f"{bar.name} {bar.text}" for bar in group.bars) + "."
    top = nice_maximum(max(counts[n].get(s, 0) for n in names for s in steps))
    ticks = [(top * part, f"{top * part:g}") for part in (0.0, 0.5, 1.0)]
    chart = bar_chart(Words(field.replace("_", "-"), title, caption), groups, top, ticks)
    return Figure(title, caption, chart, legend_of(names), ("step", *names), rows_of([*groups, *rest]))


def _count_group(
    field: str, label: str, step: str, names: Sequence[str], counts: Mapping[str, Mapping[str, int]], items: str | None
) -> BarGroup:
    bars = []
    for name in names:
        count = counts[name].get(step, 0)
        href = items_link(items, system=name, metric=field, decoding="greedy", step=step)
        bars.append(Bar(name, float(count), str(count), href=href))
    return BarGroup(label, tuple(bars))


def _naming_figure(report: Report, key: str, title: str, caption: str, items: str | None) -> Figure | None:
    names = [name for name in series_of(report) if name in report.risk_naming]
    found = dict.fromkeys(step for name in names for step in report.risk_naming[name])
    steps = [s for s in _STEP_LABELS if s in found] + [s for s in found if s not in _STEP_LABELS]
    groups = []
    for step in steps:
        values: dict[str, Metric | None] = {n: report.risk_naming[n].get(step, {}).get(key) for n in names}
        keys = {"decoding": "greedy", "step": step if step in STEP_NAMES else None}
        keys["cell"] = "hazard" if key == "recall" else None
        groups.append(group_of(_STEP_LABELS.get(step, step), values, items, **keys))
    return dots_figure(f"naming-{key}", title, caption, names, groups)


def _probe_figure(report: Report, key: str, metric: str, items: str | None) -> Figure | None:
    names = [n for n in series_of(report) if any(metric in s.get(n, {}) for s in report.probes.values())]
    groups = []
    for probe, systems in report.probes.items():
        values: dict[str, Metric | None] = {n: systems.get(n, {}).get(metric) for n in names}
        if is_change(metric):
            groups.append(BarGroup(_probe_words(probe), tuple(change_bar(n, m) for n, m in values.items())))
        else:
            groups.append(group_of(_probe_words(probe), values, items, metric=metric, probe=probe, decoding="greedy"))
    title = words_of(metric).label
    if is_change(metric):
        return changes_figure(key, title, "Change against the plain request, paired.", names, groups)
    plain: dict[str, Metric | None] = {n: report.systems[n].get(metric) for n in names}
    if any(plain.values()):
        groups.insert(0, group_of(_probe_words("plain"), plain, items, metric=metric, decoding="greedy"))
    return dots_figure(key, title, f"{words_of(metric).items}, by probe", names, groups)
