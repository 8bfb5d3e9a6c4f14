"""What building came to, or will cost, as tables for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rich.table import Table

from srpo.building.dataset import Built
from srpo.building.estimate import Estimate, Load
from srpo.types import Usage


def built_table(built: Built) -> Table:
    """Per stage: what entered, what became of it, and what its calls took."""
    table = Table(title="stages", title_justify="left")
    table.add_column("stage")
    for name in ("in", "through", "waiting", "calls", "failed", "tokens in", "tokens out", "cost", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("dropped", overflow="fold")
    by_stage: dict[str, list[Usage]] = defaultdict(list)
    for row in built.usage:
        by_stage[row.stage].append(row)
    for count in built.counts:
        rows = by_stage[count.stage]
        dropped = ", ".join(f"{reason} {number}" for reason, number in count.dropped.most_common())
        table.add_row(
            count.stage,
            str(count.entered),
            str(count.through),
            str(count.waiting or "-"),
            *_figures(rows),
            f"{count.seconds:.1f}",
            dropped or "-",
        )
    return table


def _figures(rows: list[Usage]) -> list[str]:
    sums = [sum(getattr(row, name) for row in rows) for name in _SUMMED]
    return [*(f"{number:,}" if number else "-" for number in sums), money(_total(row.cost for row in rows))]


_SUMMED = ("calls", "failed", "prompt_tokens", "completion_tokens")


def estimate_table(estimate: Estimate) -> Table:
    """Per stage, role and model: calls, tokens and money, as expected and at worst."""
    table = Table(title=f"estimate for {estimate.pictures} pictures", title_justify="left")
    for name in ("stage", "role", "model"):
        table.add_column(name, no_wrap=True)
    for name in ("calls", "at worst", "tokens in", "tokens out", "cost", "at worst"):
        table.add_column(name, justify="right", no_wrap=True)
    for load in estimate.loads:
        table.add_row(load.stage, load.role, load.model, *_loaded([load]))
    table.add_section()
    table.add_row("all", "", "", *_loaded(estimate.loads))
    return table


def _loaded(loads: Iterable[Load]) -> list[str]:
    rows = list(loads)
    names = ("calls", "worst_calls", "prompt_tokens", "completion_tokens")
    numbers = [f"{sum(getattr(row, name) for row in rows):,.0f}" for name in names]
    return [*numbers, money(_total(row.cost for row in rows)), money(_total(row.worst_cost for row in rows))]


def money(amount: float | None) -> str:
    """An amount in the currency of the prices; a dash where none is known."""
    return "-" if amount is None else f"{amount:,.2f}" if amount >= 0.1 else f"{amount:.4f}"


def _total(costs: Iterable[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
