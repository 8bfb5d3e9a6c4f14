"""Progress of long work: one bar per stage with an estimate of the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int], None]
"""Called with the number of units that have just been finished."""

Bars = Callable[[str, int, int], AbstractContextManager[Advance]]
"""(what is being done, units in all, units done before) -> a bar."""

_SECONDS_BETWEEN_LINES: Final = 15.0


@contextmanager
def silent(title: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Shows nothing."""
    yield lambda count: None


def console_bars(console: Console, clock: Callable[[], float] = time.monotonic) -> Bars:
    """Bars with count, elapsed time and an estimate of the rest; plain lines when the output is no terminal."""

    @contextmanager
    def bar(title: str, total: int, done: int = 0) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(title, total=total, completed=done)
            yield lambda count: progress.update(task, advance=count)

    @contextmanager
    def lines(title: str, total: int, done: int = 0) -> Iterator[Advance]:
        start = spoken = clock()
        now_done = done

        def say(text: str) -> None:
            # A log file is read while it grows, and not at its end only.
            console.print(f"{title}: {text}", markup=False, highlight=False, emoji=False, soft_wrap=True)
            console.file.flush()

        def advance(count: int) -> None:
            nonlocal now_done, spoken
            now_done += count
            if clock() - spoken >= _SECONDS_BETWEEN_LINES and now_done < total:
                spoken = clock()
                left = (spoken - start) / max(now_done - done, 1) * (total - now_done)
                say(f"{now_done} of {total}, about {left:.0f} s left")

        say(f"{done} of {total}")
        yield advance
        if now_done > done:
            say(f"{now_done} of {total}, {clock() - start:.1f} s")

    return bar if console.is_interactive else lines
