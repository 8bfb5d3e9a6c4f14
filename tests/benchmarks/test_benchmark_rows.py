"""`docs/benchmarks.md` and the benchmarks whose files no test can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from srpo.benchmarks import BENCHMARKS

NAMES = ("mssbench", "mm_safetybench", "holisafe", "mis", "bsa", "figstep", "vqa")
TEXT = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_rates_and_defects_are_documented(name):
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith(f"| `{name}`"))
    benchmark = BENCHMARKS[name]
    rates = {rate for protocol in benchmark.protocols.values() for rate in (*protocol.rates, *protocol.summaries)}
    plain = {rate for rate in rates if not rate.endswith("_by_rule") and not rate.startswith(("think@1_", "think@k_"))}
    assert [word for word in sorted(plain | set(benchmark.known_defects)) if f"`{word}`" not in rows] == []


def test_every_benchmark_is_in_the_document():
    assert [name for name in BENCHMARKS if f"`{name}`" not in TEXT] == []
