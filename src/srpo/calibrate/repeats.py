"""Whether a judge says the same thing when it is asked the same thing again."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.calibrate.figures import rate
from srpo.types import Metric


def flip_rate(repeats: Sequence[Sequence[bool | None]], clusters: Sequence[str], seed: int) -> Metric:
    """Share of items whose flag is not the same in all repeats [repeats][items].

    An item that changes among its scored repeats has flipped; one that does not, and lacks a repeat, is unscored.
    Raises ValueError with fewer than two repeats.
    """
    if len(repeats) < 2:
        raise ValueError(f"need two or more repeats, got {len(repeats)}")
    return rate([_flipped(flags) for flags in zip(*repeats, strict=True)], clusters, seed)


def _flipped(flags: Sequence[bool | None]) -> bool | None:
    if True in flags and False in flags:
        return True
    return None if None in flags else False
