"""Completions and verdicts to results, results to metrics, and two systems to comparisons."""

from srpo.evaluate.compare import HEADLINE, compare, compare_all
from srpo.evaluate.metrics import METRICS, Cluster, by_split, first_failing_steps, metrics
from srpo.evaluate.score import all3, score

__all__ = [
    "HEADLINE",
    "METRICS",
    "Cluster",
    "all3",
    "by_split",
    "compare",
    "compare_all",
    "first_failing_steps",
    "metrics",
    "score",
]
