"""Completions and verdicts to results, results to metrics, and two systems to comparisons."""

from srpo.evaluate.agreement import agreement
from srpo.evaluate.compare import (
    Paired,
    adjust,
    compare,
    compare_values,
    comparison_of,
)
from srpo.evaluate.leaderboard import leaderboard
from srpo.evaluate.metrics import METRICS, metrics, names_risk, units
from srpo.evaluate.parts import by_category, by_level, by_split
from srpo.evaluate.probing import EDITS, faithfulness, flips_of, probe_rates
from srpo.evaluate.reasoning import first_failing_steps, risk_naming, risk_steps, two_by_two
from srpo.evaluate.repeats import repeats
from srpo.evaluate.score import score
from srpo.evaluate.units import Cluster, plain
from srpo.logic import all3

__all__ = [
    "EDITS",
    "METRICS",
    "Cluster",
    "Paired",
    "adjust",
    "agreement",
    "all3",
    "by_category",
    "by_level",
    "by_split",
    "compare",
    "compare_values",
    "comparison_of",
    "faithfulness",
    "first_failing_steps",
    "flips_of",
    "leaderboard",
    "metrics",
    "names_risk",
    "plain",
    "probe_rates",
    "repeats",
    "risk_naming",
    "risk_steps",
    "score",
    "two_by_two",
    "units",
]
