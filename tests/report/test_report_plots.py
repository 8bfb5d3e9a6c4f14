"""Marks, forest plots, radar and trade-off: that what is drawn is what is known."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from page_parser import Page
from report_rows import HOSTILE, metric

from srpo.report.charts import Bar, BarGroup, Words
from srpo.report.dots import SHARES, axis_of_changes, dot_chart
from srpo.report.marks import shape
from srpo.report.radar import Ring, radar_chart, spot
from srpo.report.scatter import Spot, front_chart, front_of

WORDS = Words("key", "A title", "A description")


def places(svg: str, element: str, name: str) -> list[float]:
    return [float(x) for x in re.findall(rf'<{element} [^>]*\b{name}="(-?[\d.]+)%"', svg)]


def test_a_mark_stands_at_its_value_and_its_line_runs_over_the_interval():
    svg = dot_chart(WORDS, [BarGroup("g", (Bar("a", 0.5, "50 %", 0.4, 0.8),))])
    start, end = SHARES.place(0.0), SHARES.place(1.0)
    assert places(svg, 'svg class="mark "', "x") == [pytest.approx((start + end) / 2, abs=0.01)]
    line = re.search(r'class="whisker" x1="([\d.]+)%" y1="[\d.]+" x2="([\d.]+)%"', svg)
    assert [float(x) for x in line.groups()] == pytest.approx([SHARES.place(0.4), SHARES.place(0.8)], abs=0.01)


@pytest.mark.parametrize("value", [None, float("nan")])
def test_an_unknown_value_has_words_and_no_mark(value):
    svg = dot_chart(WORDS, [BarGroup("g", (Bar("a", value, "not scored"),))])
    assert "not scored" in svg and "mark" not in svg


@pytest.mark.parametrize("value", [-3.0, 7.5, float("inf")])
def test_marks_stay_inside_the_plot(value):
    svg = dot_chart(WORDS, [BarGroup("g", (Bar("a", value, "x", value, value),))])
    assert all(0 <= x <= 100 for x in places(svg, "(?:svg|line)", "(?:x|x1|x2)")) and "inf" not in svg


def test_changes_have_zero_in_the_middle_and_room_for_every_interval():
    axis = axis_of_changes([Bar("a", -0.2, "", -0.27, -0.1), Bar("b", None, "")])
    assert axis.low == -axis.high == pytest.approx(-0.384) and axis.ticks[0][0] == pytest.approx(-0.32)
    assert axis.place(0.0) == pytest.approx((axis.place(axis.low) + axis.place(axis.high)) / 2)


def test_eight_series_have_eight_marks():
    assert len({shape(i) for i in range(8)}) == 8 and shape(8) == shape(0)


def test_a_linked_value_makes_the_plot_a_group_that_screen_readers_enter():
    plain, with_link = (
        dot_chart(WORDS, [BarGroup("g", (Bar("a", 0.5, "50 %", href=href),))]) for href in (None, "#items?a=b")
    )
    assert 'role="img"' in plain and 'role="group"' in with_link
    assert Page(with_link).all("a") == [{"href": "#items?a=b", "tabindex": "-1"}]


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(0.9, 0.1), (0.5, 0.5), (0.1, 0.9)], {0, 1, 2}),
        ([(0.9, 0.9), (0.5, 0.5), (0.9, 0.5)], {0}),
        ([(0.5, 0.5), (0.5, 0.5)], {0, 1}),
        ([(0.5, 0.5), (0.5, 0.6)], {1}),
        ([], set()),
    ],
)
def test_the_front_holds_what_no_other_beats(points, front):
    assert front_of(points) == front


def test_beaten_systems_are_lighter_and_names_keep_their_distance():
    spots = [Spot(f"s{i}", metric(0.5 + 0.01 * i), metric(0.5 + 0.01 * i)) for i in range(4)]
    svg = front_chart(WORDS, spots, "across", "up")
    assert svg.count('class="mark beaten"') == 3 and svg.count('class="mark "') == 1
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="name halo"', svg))
    assert all(b - a >= 14 for a, b in pairwise(heights))


def test_radar_puts_0_in_the_centre_and_1_on_the_rim():
    centre, top = spot(0, 4, 0.0), spot(0, 4, 1.0)
    assert top[0] == pytest.approx(centre[0]) and top[1] < centre[1]
    rim = {round(math.dist(centre, spot(i, 4, 1.0)), 6) for i in range(4)}
    assert len(rim) == 1 and math.dist(centre, spot(2, 4, 0.5)) == pytest.approx(rim.pop() / 2)


def test_radar_leaves_a_gap_at_an_unknown_value():
    whole = radar_chart(WORDS, ["a", "b", "c", "d"], [Ring("x", (0.1, 0.2, 0.3, 0.4))])
    gap = radar_chart(WORDS, ["a", "b", "c", "d"], [Ring("x", (0.1, None, 0.3, 0.4))])
    assert (whole.count('class="r0"'), gap.count('class="r0"')) == (4, 2)
    assert (whole.count('class="s0"'), gap.count('class="s0"')) == (4, 3)


def test_hostile_names_add_no_element():
    words = Words("k", HOSTILE, HOSTILE)
    drawn = dot_chart(words, [BarGroup(HOSTILE, (Bar(HOSTILE, 0.5, HOSTILE, 0.1, 0.9, HOSTILE, HOSTILE),))])
    drawn += radar_chart(words, [HOSTILE] * 3, [Ring(HOSTILE, (0.1, 0.2, 0.3))])
    drawn += front_chart(words, [Spot(HOSTILE, metric(0.5), metric(0.5), HOSTILE)], HOSTILE, HOSTILE)
    page = Page(drawn)
    assert {tag for tag, _ in page.elements} == {
        "svg",
        "title",
        "desc",
        "text",
        "tspan",
        "line",
        "path",
        "polygon",
        "a",
    }
    assert page.unbalanced == [] and page.open == []
