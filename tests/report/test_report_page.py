from __future__ import annotations

import base64
import hashlib
import re

import pytest
from page_parser import Page
from report_rows import (
    HOSTILE,
    comparison,
    example,
    metric,
    minimal_set,
    prefix_yield,
    report,
    sample,
    tree_view,
    update,
)

from srpo.errors import DataError
from srpo.report import render_page
from srpo.report.shell import show_hidden
from srpo.report.wording import NO_DIFFERENCE

KNOWN = """html head meta title link style body svg defs pattern rect nav a main header h1 h2 h3 h4 p strong em ul ol li
    span br section div input label details summary table thead tbody tr th td figure figcaption desc text tspan line
    circle polyline fieldset legend article img dl dt dd footer code path polygon caption tfoot"""
TAGS = set(KNOWN.split())


def full_report(**changes: object):
    exploration = {key: [prefix_yield(i) for i in range(7)] for key in ("prefixes", "hazard", "benign")}
    base = report()
    return report(
        sampled=base.systems,
        splits={"rules": base.systems, "sets": base.systems},
        first_failing_step={"base": {"synthesis": 40, "never": 150}, "srpo": {"synthesis": 8, "never": 184}},
        exploration=exploration,
        training={"log": [update(i) for i in range(1, 5)], "trees": 256},
        **changes,
    )


def hostile_page() -> str:
    systems = {HOSTILE: {HOSTILE: metric(0.5), "safe": metric(None)}, "b" + HOSTILE: {HOSTILE: metric(0.6)}}
    loaded = full_report(
        systems=systems,
        judge=HOSTILE,
        config_sha256=HOSTILE,
        versions={HOSTILE: HOSTILE},
        seconds={HOSTILE: 1.0},
    ).model_copy(update={"first_failing_step": {HOSTILE: {HOSTILE: 3}}, "splits": {HOSTILE: systems}})
    of = sample(group=HOSTILE, split=HOSTILE, question=HOSTILE)
    of = of.model_copy(update={"category": HOSTILE, "hypothesis": HOSTILE})
    bad = example(
        True, False, of, text=HOSTILE + "\nStep 1 - Visual context: " + HOSTILE + "\nFinal answer: " + HOSTILE
    )
    view = tree_view(HOSTILE).model_copy(update={"sample": of})
    return render_page(loaded, [bad], [view], title=HOSTILE, command=HOSTILE)


def test_a_full_page_is_balanced_html_with_known_elements_only():
    page = Page(render_page(full_report(), minimal_set("g1", False, True), [tree_view()]))
    assert {tag for tag, _ in page.elements} <= TAGS
    assert page.unbalanced == [] and page.open == []


def test_hostile_text_adds_no_element_and_no_attribute():
    page = Page(hostile_page())
    assert {tag for tag, _ in page.elements} <= TAGS
    assert page.unbalanced == [] and page.open == []
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"style", "srcset", "action", "target"})
    assert "<script>alert(1)</script>" in page.text


def test_nothing_on_the_page_points_outside():
    page = Page(hostile_page())
    links = [a.get("href") or "" for _, a in page.elements if "href" in a]
    sources = [a.get("src") or "" for _, a in page.elements if "src" in a]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    sheet = re.search(r"<style>(.*?)</style>", hostile_page(), re.DOTALL)
    assert sheet and "@import" not in sheet[1] and re.findall(r"url\((.)", sheet[1]) == ["#"]


def test_policy_forbids_all_but_pictures_and_this_style_sheet():
    html = render_page(report())
    sheet = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet[1].encode()).digest()).decode()
    policies = [a["content"] for a in Page(html).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]


def test_hidden_characters_are_shown_and_the_page_is_utf8():
    html = hostile_page()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", html)
    assert "[U+202E]evil[U+2066] [U+0000][U+001B]" in html
    assert show_hidden("a\ud800\n\tb") == "a[U+D800]\n\tb"
    html.encode("utf-8")


def test_template_syntax_in_a_question_is_only_text():
    assert "{{ 7*7 }}" in Page(hostile_page()).text


def test_ids_are_unique_and_every_reference_resolves():
    page = Page(render_page(full_report(), minimal_set("g1", False, True), [tree_view(), tree_view()]))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    wanted = [a["href"].removeprefix("#") for a in page.all("a")] + [a["for"] for a in page.all("label")]
    wanted += [name for a in page.all("svg") for name in (a.get("aria-labelledby") or "").split()]
    assert len(ids) == len(set(ids)) and set(wanted) <= set(ids)


def test_values_intervals_and_counts_are_shown():
    text = Page(render_page(report())).text
    for words in ("48.2 %", "43.2 to 53.2 %", "n = 400", "+37.8 points", "+33.1 to +42.9", "p < 0.001", "p = 0.410"):
        assert words in text


def test_summary_tells_before_after_and_what_was_done():
    text = Page(render_page(full_report())).text
    assert "Safe replies to requests that are unsafe together with their picture: 48 % before, 86 % after." in text
    assert "Helpful replies to harmless requests: 97 % before, 96 % after (no evidence of a difference)." in text
    assert "From 7 points of each reference reasoning" in text and "280 times" in text and "84 contrasts" in text
    assert "Training took 4 updates" in text


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (-0.01, 0.03, 0.2, True),
        (-0.01, 0.03, 0.01, True),
        (0.0, 0.03, 0.01, True),
        (0.01, 0.03, 0.2, True),
        (0.01, 0.03, 0.01, False),
        (0.01, 0.03, None, False),
    ],
)
def test_no_evidence_is_said_exactly_when_interval_or_test_says_so(low, high, p, said):
    html = render_page(report(comparisons=(comparison("safe", 0.02, low, high, p),)))
    assert (NO_DIFFERENCE in html) is said


def test_a_rise_in_over_refusal_is_called_worse():
    systems = {"base": {"over_refusal": metric(0.02)}, "srpo": {"over_refusal": metric(0.2)}}
    html = render_page(report(systems=systems, comparisons=(comparison("over_refusal", 0.18, 0.1, 0.26, 0.0001),)))
    assert 'r-worse">worse' in html and 'r-better">better' not in html


def test_an_unknown_measure_claims_no_direction():
    systems = {"base": {"tokens": metric(0.2)}, "srpo": {"tokens": metric(0.4)}}
    html = render_page(report(systems=systems, comparisons=(comparison("tokens", 0.2, 0.1, 0.3, 0.0001),)))
    assert 'r-changed">higher' in html


def test_none_is_a_dash_and_never_zero():
    systems = {"base": {"safe": metric(None)}, "srpo": {"safe": metric(None)}}
    missing = comparison("safe", None, None, None, None)
    html = render_page(report(systems=systems, splits={"rules": systems}, comparisons=(missing,)))
    text = Page(re.sub(r'<text[^>]* class="tick"[^>]*>[^<]*</text>', "", html)).text  # axes do say 0 %
    assert "\u2013 (not scored)" in text and "n = 0, 200 unscored" in text
    assert not re.search(r"(?<![\d.])0(\.0+)? %|\bNone\b|\bnan\b", text)


def test_many_unscored_items_raise_a_warning():
    systems = {"base": {"safe": metric(0.5, 90, unscored=10)}, "srpo": {"safe": metric(0.5, 98, unscored=2)}}
    text = Page(render_page(report(systems=systems))).text
    assert "Safe reply (base): more than 5 % of the items could not be judged" in text
    assert "Safe reply (srpo): more than" not in text
    assert "if those were judged: 45.0 to 55.0 %" in text


def test_every_system_is_compared_with_the_baseline():
    systems = {name: {"safe": metric(0.5)} for name in ("base", "sft", "srpo")}
    assert "sft against base" in Page(render_page(report(systems=systems))).text


@pytest.mark.parametrize("systems", [{}, {"base": {"safe": metric(0.5)}}])
def test_a_report_without_a_pair_still_makes_a_page(systems):
    assert "nothing to compare" in Page(render_page(report(systems=systems, comparisons=()))).text


def test_exploration_of_another_shape_is_refused_with_its_place():
    with pytest.raises(DataError, match=r"exploration\.prefixes\.0\.kept"):
        render_page(report(exploration={"prefixes": [{k: v for k, v in prefix_yield().items() if k != "kept"}]}))


def test_footer_names_seed_config_versions_times_and_command():
    text = Page(render_page(report(), command="srpo demo --seed 7")).text
    for words in (
        "Seed 7",
        "c0ffee",
        "Version of srpo 0.1.0",
        "explore 1 min 1 s",
        "train 2 min 11 s",
        "srpo demo --seed 7",
    ):
        assert words in text


def test_steps_carry_verdicts_as_words_and_not_by_colour_alone():
    text = Page(render_page(report(), [example(False, None)])).text
    assert text.count("unsafe") >= 7 and text.count("? not judged") >= 7
    assert "srpo synthesis" in text and "The judge could not judge all of it: timeout." in text


def test_a_judged_step_that_was_not_written_is_shown():
    assert "(not written)" in Page(render_page(report(), [example(True, True, text="Final answer: hi")])).text


def test_forty_examples_stay_small():
    examples = [e for i in range(10) for e in minimal_set(f"g{i}", False, True)]
    assert len(render_page(full_report(), examples, [tree_view()])) < 1_000_000


def test_long_texts_are_cut_and_the_cut_is_counted():
    html = render_page(report(), [example(True, True, text="Final answer: " + "x" * 50_000)])
    assert "(47000 more characters)" in html and len(html) < 300_000


def test_same_input_same_page():
    assert render_page(full_report(), [example(True, False)]) == render_page(full_report(), [example(True, False)])


def test_trees_before_and_after_training_stand_side_by_side():
    later = tree_view("written later", branches=3).model_copy(update={"round": 2, "kept": ()})
    pair, alone = tree_view(HOSTILE).model_copy(update={"later": later}), tree_view()
    page = Page(render_page(full_report(), (), [pair, alone]))
    assert page.unbalanced == [] and page.open == [] and page.text.count("Before training") == 2
    assert page.text.count("After a round of training") == 1 and page.text.count("written later") == 7 * 3
    ids = [str(a["id"]) for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert "several rounds" not in page.text
    assert "several rounds" in Page(render_page(full_report(), (), [alone])).text
