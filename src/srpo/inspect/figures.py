"""Rates of this package as the flat numbers that a log of inspect_ai holds."""

from __future__ import annotations

from collections.abc import Mapping

from srpo.types import Metric


def flat(rates: Mapping[str, Metric]) -> dict[str, float]:
    """Each rate as `NAME`, `NAME_low`, `NAME_high`, `NAME_n` and `NAME_unscored`.

    What is not there, such as the interval of one group, is left out.  The values come first, so that a list of logs
    shows the headline.
    """
    values = {name: rate.value for name, rate in rates.items()}
    for name, rate in rates.items():
        values |= {f"{name}_low": rate.low, f"{name}_high": rate.high}
        values |= {f"{name}_n": rate.n, f"{name}_unscored": rate.unscored}
    return {name: float(value) for name, value in values.items() if value is not None}
