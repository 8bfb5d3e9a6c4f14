"""Judges held against people: labels of people in, a judge card out (`docs/judges.md`)."""

from srpo.calibrate.card import About, Agreement, agreement, judge_card
from srpo.calibrate.human import FORMS, HumanLabel, LabelFile, limited, read_labels
from srpo.calibrate.probes import PROBES
from srpo.calibrate.render import agreement_markdown, card_markdown, card_rows, render_agreement, render_card
from srpo.calibrate.repeats import flip_rate
from srpo.calibrate.reviews import read_reviews

__all__ = [
    "FORMS",
    "PROBES",
    "About",
    "Agreement",
    "HumanLabel",
    "LabelFile",
    "agreement",
    "agreement_markdown",
    "card_markdown",
    "card_rows",
    "flip_rate",
    "judge_card",
    "limited",
    "read_labels",
    "read_reviews",
    "render_agreement",
    "render_card",
]
