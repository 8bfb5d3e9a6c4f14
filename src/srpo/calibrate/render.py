"""Judge cards and agreement in words: text for the terminal, Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from srpo.calibrate.card import Agreement
from srpo.stats import bounds
from srpo.types import JudgeCard, Metric

HEADER: Final = ("figure", "value", "95 % interval", "n", "unscored", "how")
_WORDS: Final = {
    "ppi": "rate, corrected (PPI++)",
    "rogan_gladen": "rate, corrected (Rogan-Gladen)",
}


def card_rows(card: JudgeCard) -> list[tuple[str, ...]]:
    """One row of cells per figure of a card, under `HEADER`."""
    return [_row(name, metric) for name, metric in _card_figures(card)]


def render_card(card: JudgeCard) -> str:
    """A card as text."""
    return "\n".join([*_card_facts(card), "", *_columns([HEADER, *card_rows(card)]), *_notes(card)])


def card_markdown(card: JudgeCard) -> str:
    """A card as a Markdown page."""
    facts = [f"- {_escaped(fact)}" for fact in _card_facts(card)]
    notes = ["", *map(_escaped, _notes(card))] if _notes(card) else []
    return "\n".join(["# Judge card", "", *facts, "", *_table([HEADER, *card_rows(card)]), *notes, ""])


def render_agreement(found: Agreement) -> str:
    """Agreement of people as text."""
    return "\n".join([*_agreement_facts(found), "", *_columns([HEADER, *_agreement_rows(found)])])


def agreement_markdown(found: Agreement) -> str:
    """Agreement of people as a Markdown page."""
    facts = [f"- {_escaped(fact)}" for fact in _agreement_facts(found)]
    return "\n".join(["# Agreement of people", "", *facts, "", *_table([HEADER, *_agreement_rows(found)]), ""])


def _card_figures(card: JudgeCard) -> Iterator[tuple[str, Metric]]:
    yield "kappa with people", card.kappa
    yield "sensitivity", card.sensitivity
    yield "specificity", card.specificity
    yield "precision", card.precision
    yield f"rate of {card.flag}, people", card.human_rate
    yield f"rate of {card.flag}, judge", card.judge_rate
    yield from ((_WORDS.get(name, name), metric) for name, metric in card.corrected.items())
    if card.between_people:
        yield "kappa between people", card.between_people
    if card.flip_rate:
        yield "labels that flip when asked again", card.flip_rate
    yield from ((f"change of the rate: {name}", metric) for name, metric in card.probes.items())


def _card_facts(card: JudgeCard) -> list[str]:
    counts = ", ".join(f"{count} {name}" for name, count in card.confusion.items())
    return [
        f"judge: {card.judge}",
        f"flag: {card.flag}",
        f"people: {card.calibrated_on}",
        *([f"date: {card.date}"] if card.date else []),
        *([f"prompts: sha256 {card.prompts_sha256}"] if card.prompts_sha256 else []),
        *([f"temperature: {card.temperature:g}"] if card.temperature is not None else []),
        f"confusion: {counts}",
    ]


def _notes(card: JudgeCard) -> list[str]:
    rate = card.judge_rate
    if not rate.unscored:
        return []
    low, high = bounds(round((rate.value or 0.0) * rate.n), rate.n, rate.unscored) or (0.0, 1.0)
    return [
        f"unscored items: the judge's rate is {_number(low)} if none of them is {card.flag}, {_number(high)} if all"
    ]


def _agreement_facts(found: Agreement) -> list[str]:
    counts = ", ".join(f"{count} {name}" for name, count in found.confusion.items())
    return [
        f"people: {found.labelled}",
        f"annotators: {', '.join(found.annotators)}",
        f"flag: {found.flag}",
        *([f"confusion: {counts}"] if counts else []),
    ]


def _agreement_rows(found: Agreement) -> list[tuple[str, ...]]:
    figures = [
        (f"kappa, {found.flag} or not", found.kappa),
        ("kappa, all labels of the file", found.kappa_classes),
        ("Krippendorff's alpha", found.alpha),
        (f"rate of {found.flag}, final label", found.rate),
    ]
    return [_row(name, metric) for name, metric in figures if metric is not None]


def _row(name: str, metric: Metric) -> tuple[str, ...]:
    span = "none" if metric.low is None or metric.high is None else f"{_number(metric.low)} to {_number(metric.high)}"
    return (name, _number(metric.value), span, str(metric.n), str(metric.unscored), metric.method)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in rows]
    return [lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]]


def _escaped(text: str) -> str:
    """Text that is no markup and breaks no table: names come from files and servers."""
    for mark in "\\|<>*_[]`#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
