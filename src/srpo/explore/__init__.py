"""Branches from the prefixes of a reference path, and the contrasts between them."""

from srpo.explore.contrast import ContrastConfig, PrefixYield, build_contrasts, sum_yields
from srpo.explore.outcome import HazardRefusal, outcome

__all__ = ["ContrastConfig", "HazardRefusal", "PrefixYield", "build_contrasts", "outcome", "sum_yields"]
