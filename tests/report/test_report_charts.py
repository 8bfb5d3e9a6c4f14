from __future__ import annotations

import re

import pytest
from page_parser import Page
from report_rows import HOSTILE, metric, prefix_yield, report, tree_view, update

from srpo.report.breakdowns import part_figures
from srpo.report.charts import Bar, BarGroup, Line, Stack, Words, bar_chart, line_chart, nice_maximum, stacked_chart
from srpo.report.figures import exploration_figures, overview_figure, training_figures
from srpo.report.reasoning import failing_step_figure
from srpo.report.trees import branches_of, draw_tree, forks_of

WORDS = Words("key", "A title", "A description")


def percents(svg: str, *names: str) -> list[float]:
    return [float(value) for name in names for value in re.findall(rf'\b{name}="(-?[\d.]+)%"', svg)]


def test_bar_width_is_in_proportion_and_whiskers_lie_at_the_interval():
    svg = bar_chart(WORDS, [BarGroup("g", (Bar("a", 0.5, "50 %", 0.4, 0.6), Bar("b", 1.0, "100 %")))])
    half, full = percents(svg, "width")[-2:]
    assert full == pytest.approx(2 * half)
    assert percents(svg, "x1")[0] == pytest.approx(16 + 0.4 * full, abs=0.01)
    assert percents(svg, "x2")[0] == pytest.approx(16 + 0.6 * full, abs=0.01)


@pytest.mark.parametrize("value", [-3.0, 7.5, float("inf"), float("nan"), None])
def test_bars_stay_inside_the_plot_whatever_the_value(value):
    svg = bar_chart(WORDS, [BarGroup("g", (Bar("a", value, "x", value, value),))])
    assert all(0 <= x <= 100 for x in percents(svg, "x", "x1", "x2", "width"))
    assert "nan" not in svg and "inf" not in svg


def test_an_unknown_value_draws_no_bar():
    assert "<rect" not in bar_chart(WORDS, [BarGroup("g", (Bar("a", None, "\u2013 (not scored)"),))])


def test_plots_are_named_for_those_who_do_not_see_them():
    svg = bar_chart(WORDS, [])
    assert 'role="img"' in svg and 'aria-labelledby="key-t key-d"' in svg
    assert '<title id="key-t">A title</title><desc id="key-d">A description</desc>' in svg


def test_stacked_parts_fill_the_column_without_overlap():
    svg = stacked_chart(WORDS, [Stack("0", (6, 3, 0, 1), 4)], ("favourable", "unfavourable", "neutral", "missing"))
    tops = [float(y) for y in re.findall(r'<rect[^>]* y="([\d.]+)"', svg)]
    heights = [float(h) for h in re.findall(r'<rect[^>]* height="([\d.]+)"', svg)]
    assert len(tops) == 3 and sum(heights) == pytest.approx(190)
    assert tops[0] == pytest.approx(tops[1] + heights[1]) and tops[1] == pytest.approx(tops[2] + heights[2])
    assert 'cy="124.0"' in svg  # the marked value: 4 of 10 from below


def test_curve_leaves_a_gap_where_a_value_is_not_finite():
    points = ((1.0, 1.0), (2.0, 0.5), (3.0, float("nan")), (4.0, 0.5), (5.0, 0.25))
    curves = re.findall(r'points="([^"]*)"', line_chart(WORDS, [Line("loss", points)]))
    assert [len(curve.split()) for curve in curves] == [2, 2] and "nan" not in "".join(curves)


def test_curve_runs_from_edge_to_edge_and_long_ones_are_thinned_with_their_end_kept():
    points = tuple((float(i), i / 5000) for i in range(5001))
    (curve,) = re.findall(r'points="([^"]*)"', line_chart(WORDS, [Line("loss", points)]))
    spots = [tuple(map(float, spot.split(","))) for spot in curve.split()]
    assert len(spots) <= 302 and spots[0] == (0.0, 1000.0) and spots[-1] == (1000.0, 0.0)


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (2.5, 3.2), (118, 120), (1024, 1200), (0.07, 0.08)])
def test_axis_ends_at_the_next_round_number(value, top):
    assert nice_maximum(value) == pytest.approx(top)


def test_hostile_names_add_no_element_to_a_plot():
    svg = bar_chart(Words("k", HOSTILE, HOSTILE), [BarGroup(HOSTILE, (Bar(HOSTILE, 0.5, HOSTILE),))])
    assert {tag for tag, _ in Page(svg).elements} == {"svg", "title", "desc", "text", "tspan", "rect"}


def test_overview_shows_every_measure_with_its_interval():
    figure = overview_figure(report(), "greedy")
    assert [row[0] for row in figure.rows] == ["Whole set right", "Safe reply", "Helpful reply"]
    assert figure.rows[1][1:] == ("48.2 % (43\u201353)", "86.0 % (81\u201391)")


def test_splits_without_a_measure_are_left_out_and_missing_values_are_said():
    half = {"base": {"safe": metric(None)}, "srpo": {"safe": metric(0.9)}}
    one = report(splits={"rules": half, "sets": report().systems})
    figures = part_figures(one, "split", one.splits)
    assert [figure.title for figure in figures] == ["Safe reply", "Helpful reply", "Whole set right"]
    assert figures[0].rows[0] == ("rules", "\u2013 (not scored)", "90.0 % (85\u201395)")


def test_first_failing_step_keeps_the_order_of_the_steps_and_tells_the_rest_apart():
    counts = {"base": {"never": 100, "answer": 2, "visual": 5, "odd": 1}, "srpo": {"never": 150, "visual": 1}}
    figure = failing_step_figure(report(first_failing_step=counts))
    assert [row[0] for row in figure.rows] == ["1 Visual context", "Reply", "odd", "Never unsafe"]
    assert "Never unsafe: base 100, srpo 150." in figure.caption and figure.rows[0][1:] == ("5", "1")


def test_exploration_counts_repeats_as_what_the_outcomes_leave():
    (figure,) = exploration_figures(report(exploration={"prefixes": [prefix_yield(0), prefix_yield(1, kept=0)]}))
    assert figure.rows[0] == ("0", "20", "10", "3", "1", "6", "12")
    assert "80 branches, 12 contrasts kept" in figure.caption


def test_training_shows_first_and_last_values_and_skips_what_was_not_logged():
    log = [update(1), update(2, loss=1.0), {"step": 3, "loss": 0.5}]
    loss, accuracy = training_figures(report(training={"log": log}))
    assert ("loss", "2", "0.5") in loss.rows and accuracy.rows == (("accuracy", "0.75", "0.75"),)


def test_nothing_to_plot_gives_no_figure():
    empty = report()
    assert failing_step_figure(empty) is None and overview_figure(empty, "sampled") is None
    assert exploration_figures(empty) == training_figures(empty) == [] and part_figures(empty, "split", {}) == ()


def test_tree_draws_one_line_per_branch_from_its_fork_and_no_lines_cross():
    view = tree_view()
    svg = draw_tree(view, "t")
    lines = re.findall(r'<line class="t-\w+" x1="([\d.]+)%" y1="(\d+)"', svg)
    starts = [float(x) for x, _ in sorted(lines, key=lambda line: int(line[1]))]
    assert len(lines) == 14 and starts == sorted(starts, reverse=True)
    assert svg.count('class="fork"') == 7 and "7 favourable, 7 unfavourable" in svg


def test_branches_carry_outcome_and_contrast_marks_and_unjudged_ones_say_so():
    view = tree_view().model_copy(update={"outcomes": {7: "favourable"}})
    first, second, *_ = branches_of(view)
    assert (first.word, first.contrasts) == ("favourable", "1+")
    assert (second.word, second.contrasts) == ("not judged", "1\u2212")


def test_forks_list_each_reference_step_with_the_branches_written_instead():
    forks = forks_of(tree_view())
    assert [fork.title for fork in forks][:2] == ["Visual context", "Textual request"] and forks[-1].title == "Reply"
    assert [len(fork.branches) for fork in forks] == [2] * 7 and forks[0].text == "reference visual"
