"""Results as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from srpo.bench.setting import Bench, ExploreBench, TrainBench


def train_table(result: TrainBench) -> Table:
    """A row per way."""
    table = _table("training step: forward, loss, backward", "tokens", "x bound", "TFLOP", "seconds", "x tree", "peak")
    for way in result.tokens:
        table.add_row(
            way,
            f"{result.tokens[way]:,}",
            f"{result.ratios['tokens over lower bound'][way]:.2f}",
            f"{result.flops[way] / 1e12:.3f}",
            *_time(result, way),
            _memory(result.peak_memory_bytes[way]),
        )
    return table


def explore_table(result: ExploreBench) -> Table:
    """A row per way."""
    table = _table("exploration", "prefill", "decode", "x bound", "new tokens/s", "seconds", "x tree", "peak")
    for way, counts in result.tokens.items():
        table.add_row(
            way,
            f"{counts['prefill']:,}",
            f"{counts['decode']:,}",
            f"{result.ratios['tokens over lower bound'][way]:.2f}",
            f"{result.new_tokens_per_second[way]:,.0f}",
            *_time(result, way),
            _memory(result.peak_memory_bytes[way]),
        )
    return table


def train_line(result: TrainBench) -> str:
    """How far the ways agree."""
    return (
        f"largest difference between the ways: {result.max_abs_logp_difference:.1e} in a token's log-probability, "
        f"{result.max_abs_mean_logp_difference:.1e} in a path's mean"
    )


def explore_line(result: ExploreBench) -> str:
    """How far the ways agree."""
    shares = ", ".join(f"{way} {share:.0%}" for way, share in result.greedy_equal.items() if way != "per_prefix")
    return f"prefixes with the greedy ids of per_prefix: {shares}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("way")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _time(result: Bench, way: str) -> tuple[str, str]:
    spread = result.spread[way]
    ratio = result.ratios["seconds"].get(way, 1.0)
    return f"{result.seconds[way]:.3g} ({spread.low:.3g}-{spread.high:.3g})", f"{ratio:.2f}"


def _memory(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:,.0f} MiB"
