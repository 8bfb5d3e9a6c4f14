"""Intervals, tests, agreement and corrections of rates; pure functions of numbers, which know no record.

All intervals are at 95 %.  Rows that belong together (the cells of a minimal set, the sets of one rule, the answers to
one question) are one *cluster*; treating them as independent makes an interval too narrow.
"""

from srpo.stats.agreement import Category, Kappa, cohens_kappa, krippendorff_alpha
from srpo.stats.comparisons import cluster_signs, holm, minimum_detectable_difference, sign_test
from srpo.stats.corrected import Ppi, Rated, ppi, rogan_gladen, rogan_gladen_rate
from srpo.stats.intervals import (
    LEVEL,
    Difference,
    Estimate,
    Interval,
    bounds,
    cluster_bootstrap,
    paired_difference,
    rate_interval,
    wilson,
)

__all__ = [
    "LEVEL",
    "Category",
    "Difference",
    "Estimate",
    "Interval",
    "Kappa",
    "Ppi",
    "Rated",
    "bounds",
    "cluster_bootstrap",
    "cluster_signs",
    "cohens_kappa",
    "holm",
    "krippendorff_alpha",
    "minimum_detectable_difference",
    "paired_difference",
    "ppi",
    "rate_interval",
    "rogan_gladen",
    "rogan_gladen_rate",
    "sign_test",
    "wilson",
]
