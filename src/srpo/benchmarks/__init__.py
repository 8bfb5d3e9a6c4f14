"""Public benchmarks: the user's copies of their files to items, answers to labels, labels to rates."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from srpo.benchmarks import (
    bsa,
    figstep,
    holisafe,
    mis,
    mm_safetybench,
    mossbench,
    mssbench,
    msts,
    siuo,
    siuo_mcqa,
    vlsbench,
    vqa,
    xstest,
)
from srpo.benchmarks.base import Benchmark, Loader, Rate, render_item
from srpo.benchmarks.judge import BenchmarkJudge, needs_judge
from srpo.benchmarks.prompts import check_prompts, read_prompts
from srpo.benchmarks.rates import by_category, defects, disagreements, rates, values
from srpo.benchmarks.validate import validate
from srpo.errors import ConfigError

_ALL: Final = (
    siuo.BENCHMARK,
    siuo_mcqa.BENCHMARK,
    vlsbench.BENCHMARK,
    mossbench.BENCHMARK,
    xstest.BENCHMARK,
    msts.BENCHMARK,
    mssbench.BENCHMARK,
    mssbench.BENCHMARK_QC,
    mssbench.BENCHMARK_IC,
    mssbench.BENCHMARK_IC_CAP,
    mm_safetybench.BENCHMARK,
    holisafe.BENCHMARK,
    mis.BENCHMARK,
    bsa.BENCHMARK,
    figstep.BENCHMARK,
    vqa.BENCHMARK,
)

BENCHMARKS: Final[Mapping[str, Benchmark]] = MappingProxyType({benchmark.name: benchmark for benchmark in _ALL})
"""Every public benchmark by its name in settings."""


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of that name.  Raises ConfigError, with the nearest name, if there is none."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    near = get_close_matches(name, BENCHMARKS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(BENCHMARKS)}"
    raise ConfigError(f"benchmarks: no benchmark {name!r}; {hint}")


__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "BenchmarkJudge",
    "Loader",
    "Rate",
    "benchmark_named",
    "by_category",
    "check_prompts",
    "defects",
    "disagreements",
    "needs_judge",
    "rates",
    "read_prompts",
    "render_item",
    "validate",
    "values",
]
