"""Progress of long work: one bar per stage with an estimate of the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], None]
"""Called with the number of units that have just been finished."""

Bars = Callable[[str, int, int], AbstractContextManager[Advance]]
"""(what is being done, units in all, units done before) -> a bar."""


@contextmanager
def silent(title: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Shows nothing."""
    yield lambda count: None


def console_bars(console: Console) -> Bars:
    """Bars with count, elapsed time and an estimate of the rest; plain lines when the output is no terminal."""

    @contextmanager
    def bar(title: str, total: int, done: int = 0) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(title, total=total, completed=done)
            yield lambda count: progress.update(task, advance=count)

    return bar
