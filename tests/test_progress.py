from __future__ import annotations

import io

from rich.console import Console

from srpo.progress import console_bars


def shown(terminal: bool, steps: list[int], seconds_each: float = 0.0, done: int = 0) -> str:
    now = 0.0
    console = Console(file=io.StringIO(), width=90, force_terminal=terminal, force_interactive=terminal)
    with console_bars(console, lambda: now)("explore [x]", 10, done) as advance:
        for step in steps:
            now += seconds_each
            advance(step)
    return console.file.getvalue()


def test_a_terminal_gets_a_bar_that_fits():
    text = shown(True, [4, 6])
    assert "explore [x]" in text and "10/10" in text and "\x1b[" in text


def test_a_file_gets_plain_lines_at_start_and_end():
    assert shown(False, [4, 6], seconds_each=1.0).splitlines() == [
        "explore [x]: 0 of 10",
        "explore [x]: 10 of 10, 2.0 s",
    ]


def test_a_file_is_told_now_and_then_how_long_it_takes():
    lines = shown(False, [1, 1, 1, 6], seconds_each=10.0, done=1).splitlines()
    assert lines[0] == "explore [x]: 1 of 10"
    assert lines[1] == "explore [x]: 3 of 10, about 70 s left"
    assert lines[-1] == "explore [x]: 10 of 10, 40.0 s"


def test_work_that_was_done_before_is_one_line():
    assert shown(False, [], done=10) == "explore [x]: 10 of 10\n"


def test_work_that_stops_half_way_says_how_far_it_came():
    assert shown(False, [4]).splitlines()[-1].startswith("explore [x]: 4 of 10")
