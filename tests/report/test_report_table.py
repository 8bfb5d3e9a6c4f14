from __future__ import annotations

import io

import pytest
from report_rows import HOSTILE, comparison, metric, report
from rich.console import Console

from srpo.report import headline_table, markdown_table
from srpo.report.table import Pair, headline_rows, pairs_of
from srpo.report.wording import METRICS, percent, points


def printed(table) -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(table)
    return console.file.getvalue()


def all_metrics(value: float | None) -> dict:
    return {name: metric(value) for name in (*METRICS, "own_measure")}


def test_markdown_has_every_measure_of_both_decodings():
    systems = {"base": all_metrics(0.4), "srpo": all_metrics(0.6)}
    text = markdown_table(report(systems=systems, sampled=systems))
    for words in METRICS.values():
        assert text.count(f"| {words.label} (") == 2
    assert text.count("| own measure |") == 2
    assert "**Greedy decoding: srpo against base**" in text and "**Sampled, temperature 1: srpo against base**" in text


def test_markdown_rows_have_as_many_cells_as_the_header_whatever_the_names():
    systems = {"a|b\n`c`": {"x|y\n<b>": metric(0.4)}, "s[1]": {"x|y\n<b>": metric(0.5)}}
    lines = markdown_table(report(systems=systems, comparisons=())).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 3
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
    assert "<b>" not in "".join(rows) and "[1]" not in "".join(rows)


def test_markdown_shows_value_interval_count_difference_and_reading():
    row = next(line for line in markdown_table(report()).splitlines() if line.startswith("| Safe reply"))
    assert "48.2 % (43.2 to 53.2 %; n = 400)" in row and "+37.8 points (+33.1 to +42.9; p &lt; 0.001)" in row
    assert row.endswith("| better |")


def test_unscored_is_a_dash_in_both_tables():
    systems = {"base": {"safe": metric(None)}, "srpo": {"safe": metric(0.5)}}
    one = report(systems=systems, comparisons=(comparison("safe", None, None, None, None),))
    for text in (markdown_table(one), printed(headline_table(one))):
        assert "\u2013 (not scored)" in text and " 0.0 %" not in text


def test_terminal_table_holds_both_decodings_and_readings():
    one = report(sampled=report().systems)
    text = printed(headline_table(one))
    assert "Greedy decoding" in text and "Sampled, temperature 1" in text
    assert "48.2 %" in text and "-0.9 points" in text and "no evidence of a difference" in text


def test_terminal_markup_in_names_is_only_text():
    systems = {"base": {"[red]x[/red]": metric(0.4)}, "[bold]s": {"[red]x[/red]": metric(0.5)}}
    text = printed(headline_table(report(systems=systems, comparisons=())))
    assert "[red]x[/red]" in text and "[bold]s" in text


def test_empty_report_gives_an_empty_table():
    empty = report(systems={}, comparisons=())
    assert headline_table(empty).row_count == 0 and markdown_table(empty) == ""


def test_baseline_comes_from_the_comparisons_and_pairs_cover_the_others():
    systems = {"srpo": {"safe": metric(0.6)}, "base": {"safe": metric(0.4)}, HOSTILE: {}}
    assert pairs_of(report(systems=systems)) == [Pair("base", "srpo"), Pair("base", HOSTILE)]


def test_comparisons_are_matched_by_decoding():
    one = report(sampled=report().systems)
    assert [row.comparison for row in headline_rows(one, Pair("base", "srpo"), "sampled")] == [None] * 3


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.482, 1, "48.2 %"),
        (0.996, 0, "99.6 %"),
        (0.9996, 1, "99.96 %"),
        (0.0004, 1, "0.04 %"),
        (0.0, 0, "0 %"),
        (1.0, 1, "100.0 %"),
        (None, 1, "\u2013 (not scored)"),
        (float("nan"), 1, "\u2013 (not scored)"),
    ],
)
def test_percent_never_rounds_to_certainty_and_none_is_not_zero(value, digits, text):
    assert percent(value, digits) == text


def test_points_of_nothing_have_no_sign():
    assert points(-0.0001) == "0.0 points" and points(-0.02) == "-2.0 points"
