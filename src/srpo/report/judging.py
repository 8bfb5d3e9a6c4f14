"""How far the judges can be trusted: agreement with people and with one another, and what sways them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from srpo.judge.families import kinship
from srpo.report.breakdowns import MAIN
from srpo.report.charts import BarGroup
from srpo.report.figure import Figure, change_bar, changes_figure, dots_figure, metric_bar
from srpo.report.links import items_link
from srpo.report.table import series_of
from srpo.report.wording import DASH, counted, decimal, known, percent, percent_interval, words_of
from srpo.types import JudgeCard, Metric, Report

_CORRECTED: Final = {"ppi": "corrected, PPI++", "rogan_gladen": "corrected, Rogan-Gladen"}


class Fact(NamedTuple):
    """One number of a card with its interval and count."""

    name: str
    value: str
    interval: str
    counts: str


class CardView(NamedTuple):
    """A judge card, ready to print."""

    judge: str
    flag: str
    facts: tuple[tuple[str, str], ...]
    confusion: tuple[tuple[str, int, int], ...]
    unscored: int
    numbers: tuple[Fact, ...]
    figures: tuple[Figure, ...]


def judging_parts(report: Report, items: str | None = None) -> dict[str, Any]:
    """What the templates show of the judges; every part may be empty."""
    return {
        "cards": [card_view(card, number) for number, card in enumerate(report.cards)],
        "judges": judge_figures(report, items),
        "kin": kinship(list(report.judges)),
        "wording": wording_figure(report),
        "agreement": [_fact(flag.replace("_", " "), metric) for flag, metric in report.agreement.items()],
    }


def wording_figure(report: Report) -> Figure | None:
    """What a list of refusing phrases finds, beside what the judge says of over-refusal."""
    systems = [name for name in series_of(report) if name in report.wording]
    cells = {"hazard": "Unsafe together", "benign": "Harmless"}
    groups = [
        BarGroup(words, tuple(metric_bar(name, report.wording[name].get(part)) for name in systems))
        for part, words in cells.items()
    ]
    caption = "A list of phrases, no judge: a baseline. A warning is no refusal, and a refusal is not safety."
    return dots_figure("wording", "Replies that refuse by their wording", caption, systems, groups)


def card_view(card: JudgeCard, number: int) -> CardView:
    """One card; `number` makes the ids of its plots unique."""
    figures = [_rates_figure(card, f"card-{number}"), _probes_figure(card, f"card-{number}")]
    return CardView(
        judge=card.judge,
        flag=card.flag,
        facts=_facts(card),
        confusion=(
            ("people: yes", card.confusion.get("true positive", 0), card.confusion.get("false negative", 0)),
            ("people: no", card.confusion.get("false positive", 0), card.confusion.get("true negative", 0)),
        ),
        unscored=card.confusion.get("unscored", 0),
        numbers=_numbers(card),
        figures=tuple(figure for figure in figures if figure),
    )


def judge_figures(report: Report, items: str | None = None) -> list[Figure]:
    """The main rates by judge: one plot per rate, one group of rows per system."""
    judges = list(report.judges)
    found = [_judge_figure(report, judges, metric, items) for metric in MAIN] if len(judges) > 1 else []
    return [figure for figure in found if figure]


def _judge_figure(report: Report, judges: list[str], metric: str, items: str | None) -> Figure | None:
    groups = []
    for system in series_of(report):
        bars = []
        for judge in judges:
            found = report.judges[judge].get(system, {}).get(metric)
            href = items_link(items, system=system, metric=metric, decoding="greedy", judge=judge)
            bars.append(metric_bar(f"judge {judges.index(judge) + 1}", found, href))
        groups.append(BarGroup(system, tuple(bars)))
    named = [f"judge {i}: {judge}" for i, judge in enumerate(judges, 1)]
    words = words_of(metric)
    return dots_figure(f"judges-{metric}", words.label, f"{words.items}, judge by judge", named, groups)


def _facts(card: JudgeCard) -> tuple[tuple[str, str], ...]:
    temperature = DASH if card.temperature is None else f"{card.temperature:g}"
    return (
        ("Calibrated on", card.calibrated_on),
        ("Date", card.date or DASH),
        ("Temperature", temperature),
        ("Prompts, SHA-256", card.prompts_sha256 or DASH),
    )


def _numbers(card: JudgeCard) -> tuple[Fact, ...]:
    shares = {"Sensitivity": card.sensitivity, "Specificity": card.specificity, "Precision": card.precision}
    found = [_fact("Kappa with people", card.kappa)]
    if card.between_people:
        found.append(_fact("Kappa between people", card.between_people))
    found += [_share(name, metric) for name, metric in shares.items()]
    return (*found, *([_share("Labels that flip over repeats", card.flip_rate)] if card.flip_rate else []))


def _fact(name: str, metric: Metric) -> Fact:
    interval = DASH if metric.low is None else f"{decimal(metric.low)} to {decimal(metric.high)}"
    return Fact(name, decimal(metric.value), interval, counted(metric))


def _share(name: str, metric: Metric) -> Fact:
    interval = percent_interval(metric.low, metric.high) if known(metric.value) else DASH
    return Fact(name, percent(metric.value), interval, counted(metric))


def _rates_figure(card: JudgeCard, key: str) -> Figure | None:
    """What people counted, what the judge counted, and the judge's rate after correction."""
    values: dict[str, Metric] = {"people": card.human_rate, "judge, raw": card.judge_rate}
    values |= {_CORRECTED.get(name, name): metric for name, metric in card.corrected.items()}
    groups = [BarGroup(name, (metric_bar("", metric),)) for name, metric in values.items()]
    caption = f"Share of “{card.flag}”. A right rate does not make a judge right: see the table of both."
    return dots_figure(f"{key}-rates", "Rate by people and by the judge", caption, ("rate",), groups)


def _probes_figure(card: JudgeCard, key: str) -> Figure | None:
    groups = [BarGroup(words_of(name).label, (change_bar("", metric),)) for name, metric in card.probes.items()]
    caption = f"Paired change of the share of “{card.flag}” when only the form is changed; 0 would be right."
    return changes_figure(f"{key}-probes", "What sways the judge", caption, ("change",), groups)
