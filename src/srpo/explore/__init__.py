"""Branches from the prefixes of a reference path, and the contrasts between them."""

from srpo.explore.branch import Exploration, ExploreSettings, branch_requests, build_tree, tree_id
from srpo.explore.contrast import ContrastConfig, PrefixYield, build_contrasts, sum_yields
from srpo.explore.growth import explore
from srpo.explore.outcome import HazardRefusal, outcome

__all__ = [
    "ContrastConfig",
    "Exploration",
    "ExploreSettings",
    "HazardRefusal",
    "PrefixYield",
    "branch_requests",
    "build_contrasts",
    "build_tree",
    "explore",
    "outcome",
    "sum_yields",
    "tree_id",
]
