from __future__ import annotations

import io

import pytest
from report_rows import HOSTILE, comparison, metric, report
from rich.console import Console

from srpo.rates import HEADLINE
from srpo.report import headline_table, markdown_table, verdict
from srpo.report.table import Pair, headline_rows, pairs_of
from srpo.report.wording import METRICS, percent, points

IN_TERMINAL = (*HEADLINE, "format_failure")
"""The page has the others."""


def printed(table, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
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
    text = markdown_table(one)
    assert "\u2013 (not scored)" in text and " 0.0 %" not in text
    assert line_of(printed(headline_table(one)), "Safe reply") == "Safe reply \u2013 50.0 [45.0, 55.0] \u2013 200"


def line_of(text: str, label: str) -> str:
    """The first row of a label, with single spaces."""
    return next(" ".join(line.split()) for line in text.splitlines() if line.startswith(label))


def widest() -> dict:
    """A report whose every cell is as long as it gets."""
    names = [*METRICS]
    systems = {name: {m: metric(0.5, 88_000, 12_000) for m in names} for name in ("base", "srpo")}
    compared = [comparison(m, -0.378, -0.429, -0.331, 0.001, d) for m in names for d in ("greedy", "sampled")]
    return report(systems=systems, sampled=systems, comparisons=[c.model_copy(update={"n": 2880}) for c in compared])


@pytest.mark.parametrize("width", [80, 100])
def test_terminal_table_is_one_line_per_measure_and_cuts_nothing(width):
    lines = printed(headline_table(widest()), width).splitlines()
    assert len(lines) == 2 + 2 * (1 + len(IN_TERMINAL))
    assert max(len(line.rstrip()) for line in lines) <= 80 and "\u2026" not in "".join(lines)
    row = "50.0 [45.0, 55.0] 50.0 [45.0, 55.0] -37.8 [-42.9, -33.1] 2880"
    assert line_of("\n".join(lines), "Over-refusal") == f"Over-refusal \u2193 {row}"
    assert line_of("\n".join(lines), "Broken format") == f"Broken format \u2193 {row}"


def test_terminal_table_holds_both_decodings_values_and_changes():
    text = printed(headline_table(report(sampled=report().systems)))
    assert line_of(text, "metric") == "metric base srpo change n"
    trained = printed(headline_table(report(training={"loss_type": "srpo"})))
    assert line_of(trained, "metric") == "metric before: base after: srpo change n"
    assert line_of(text, "Safe reply") == "Safe reply 48.2 [43.2, 53.2] 86.0 [81.0, 91.0] +37.8 [+33.1, +42.9] 200"
    assert line_of(text, "Helpful reply").endswith("-0.9 [-2.4, +0.6] 200")
    assert "Greedy decoding" in text and "Sampled, T = 1" in text


def test_terminal_table_counts_what_both_sides_could_be_judged_on():
    partly = comparison("safe", 0.1, 0.0, 0.2, 0.5).model_copy(update={"n": 190, "unscored": 10})
    assert line_of(printed(headline_table(report(comparisons=(partly,)))), "Safe reply").endswith(" 190/200")


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100 [95.0, 100]"), (0.0, "0 [0, 5.0]"), (0.9996, "99.96 [95.0, 100]")]
)
def test_terminal_values_do_not_round_to_certainty(value, text):
    systems = {"base": {"safe": metric(value)}, "srpo": {"safe": metric(value)}}
    assert line_of(printed(headline_table(report(systems=systems))), "Safe reply").startswith(f"Safe reply {text} ")


def test_verdict_says_what_is_better_and_what_is_not_known():
    assert verdict(report()) == (
        "srpo against base, greedy: better in Whole set right (38.5 % to 81.5 %), Safe reply (48.2 % to 86.0 %); "
        "no evidence of a difference in Helpful reply (97.1 % to 96.2 %)."
    )


def test_verdict_says_worse_and_keeps_quiet_without_a_pair():
    worse = comparison("over_refusal", 0.2, 0.1, 0.3, 0.001)
    systems = {"base": {"over_refusal": metric(0.1)}, "srpo": {"over_refusal": metric(0.3), "safe": metric(None)}}
    text = verdict(report(systems=systems, comparisons=(worse,)))
    assert "worse in Over-refusal (10.0 % to 30.0 %); no comparison of Safe reply." in text
    assert verdict(report(systems={"base": {}}, comparisons=())).startswith("One system only")


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


def test_one_system_is_shown_without_a_comparison() -> None:
    alone = report(systems={"base": all_metrics(0.4)}, comparisons=())
    table = headline_table(alone)
    assert [str(column.header) for column in table.columns] == ["metric", "base", "n"]
    assert table.row_count > 3
    text = markdown_table(alone)
    assert "against" not in text and "| measure | base |" in text


@pytest.mark.parametrize("number", [3, 8])
def test_terminal_table_of_many_systems_has_a_column_each_and_signs_against_the_first(number):
    names = [f"system-{i}" for i in range(number)]
    systems = {name: {m: metric(1.0 if m == "safe" else 0.9996) for m in METRICS} for name in names}
    better = comparison("safe", 0.2, 0.1, 0.3, 0.001).model_copy(update={"baseline": names[0], "system": names[1]})
    lines = printed(headline_table(report(systems=systems, sampled=systems, comparisons=(better,)))).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80 and len(lines) == 2 + 2 * (1 + len(IN_TERMINAL))
    row = line_of("\n".join(lines), "Safe reply").split()
    assert row[2:5] == ["100", "100", "\u25b2"] and row.count("100") == number
    assert "against system-0: \u25b2 better" in lines[0]
