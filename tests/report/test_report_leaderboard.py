from __future__ import annotations

import re

from evaluated_rows import SYSTEMS, leaderboard_row
from page_parser import Page
from report_rows import HOSTILE, metric
from test_report_page import TAGS

from srpo.rates import ranked
from srpo.report.leaderboard import render_leaderboard


def lines(html: str) -> list[list[str]]:
    """Place and system of every row, block by block."""
    blocks = html.split('<section class="block">')[1:]
    row = r'<td data-name="place">(.*?)</td><th scope="row">(.*?)<'
    return [[" ".join(found) for found in re.findall(row, block)] for block in blocks]


def test_rows_are_ranked_by_the_joint_score_best_first_and_equals_share_a_place():
    rows = [leaderboard_row("demo", name) for name in SYSTEMS] + [leaderboard_row("again", "srpo")]
    assert lines(render_leaderboard(rows)) == [["1 srpo", "1 srpo", "3 sft", "4 orpo", "5 base"]]


def test_other_judges_protocols_decodings_or_items_never_share_a_block():
    others = [{"judge": "b"}, {"decoding": "sampled"}, {"items": "cd"}, {"benchmark": "siuo", "protocol": "v1"}]
    rows = [leaderboard_row("demo"), *(leaderboard_row("demo", **other) for other in others)]
    assert lines(render_leaderboard(rows)) == [["1 srpo"]] * 5


def test_a_public_benchmark_is_ranked_by_its_own_headline_and_keeps_its_own_words():
    siuo = {"benchmark": "siuo", "protocol": "v1"}
    refuser = {"safe_and_effective": metric(0.1), "safe": metric(1.0), "effective": metric(0.1)}
    helpful = {"safe_and_effective": metric(0.8), "safe": metric(0.9), "effective": metric(0.8)}
    rows = [
        leaderboard_row("a", "base", rates=refuser, **siuo),
        leaderboard_row("b", "srpo", rates=helpful, **siuo),
    ]
    assert [row.system for row in ranked(rows)] == ["srpo", "base"]
    html = render_leaderboard(rows)
    assert lines(html) == [["1 srpo", "2 base"]]
    assert "jointly unsafe" not in html and html.index(">safe and effective") < html.index(">safe<")


def test_a_rate_with_too_many_unscored_items_has_bounds_and_no_place():
    flawed = leaderboard_row("best?", "base", rates={"joint4": metric(0.99, 80, unscored=20)})
    html = render_leaderboard([flawed, leaderboard_row("demo")])
    assert lines(html) == [["1 srpo", "\u2013 base"]]
    assert "79.2 to 99.2 %" in Page(html).text and "bounds, no headline" in html


def test_a_rate_of_unknown_direction_is_not_ranked():
    rows = [leaderboard_row(run, rates={"own": metric(0.2)}) for run in ("b", "a")]
    assert lines(render_leaderboard(rows)) == [["\u2013 srpo", "\u2013 srpo"]]


def test_the_page_stands_alone_and_hostile_names_are_only_text():
    row = leaderboard_row(HOSTILE, system="srpo", judge=HOSTILE, items=HOSTILE, rates={HOSTILE: metric(0.5)})
    page = Page(render_leaderboard([row.model_copy(update={"system": HOSTILE})], title=HOSTILE))
    assert {tag for tag, _ in page.elements} <= TAGS and page.unbalanced == [] and page.open == []
    assert page.all("a") == [] and not [a for _, a in page.elements if "src" in a]
    assert "<script>alert(1)</script>" in page.text


def test_no_run_is_said():
    assert "There is no run to show." in Page(render_leaderboard([])).text
