"""Branches from the prefixes of a reference path, and the contrasts between them."""

from srpo.explore.branch import Exploration, ExploreSettings, branch_requests, build_tree, tree_id
from srpo.explore.contrast import ContrastConfig, PrefixYield, build_contrasts, sum_yields
from srpo.explore.credit import Credit, Value, step_credits, value_of
from srpo.explore.growth import explore
from srpo.explore.outcome import HazardRefusal, outcome

__all__ = [
    "ContrastConfig",
    "Credit",
    "Exploration",
    "ExploreSettings",
    "HazardRefusal",
    "PrefixYield",
    "Value",
    "branch_requests",
    "build_contrasts",
    "build_tree",
    "explore",
    "outcome",
    "step_credits",
    "sum_yields",
    "tree_id",
    "value_of",
]
