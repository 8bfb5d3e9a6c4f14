"""Rates of this package as the flat numbers that a log of inspect_ai holds."""

from __future__ import annotations

from collections.abc import Mapping

from srpo.types import Metric


def flat(rates: Mapping[str, Metric]) -> dict[str, float]:
    """Each rate as `NAME`, `NAME_low`, `NAME_high`, `NAME_n` and `NAME_unscored`.

    The values come first, so that a list of logs shows the headline; one of which nothing could be scored is NaN.  An
    interval that is not there, such as that of one group, is left out.
    """
    values = {name: float("nan") if rate.value is None else rate.value for name, rate in rates.items()}
    for name, rate in rates.items():
        ends = {f"{name}_low": rate.low, f"{name}_high": rate.high}
        values |= {key: end for key, end in ends.items() if end is not None}
        values |= {f"{name}_n": float(rate.n), f"{name}_unscored": float(rate.unscored)}
    return values
