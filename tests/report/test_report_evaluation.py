"""The page of a whole evaluation: several systems, judges, probes and public benchmarks."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import get_args
from urllib.parse import parse_qs

import pytest
from evaluated_rows import SYSTEMS, compared, evaluation, hostile_evaluation, rates_of, score
from page_parser import Page
from report_rows import HOSTILE, comparison, metric, report
from test_report_page import TAGS

from srpo.benchmarks import BENCHMARKS
from srpo.report import render_page, verdict
from srpo.report.links import Key, Linked, items_link
from srpo.report.public import lonely_rates, public_parts
from srpo.report.reasoning import squares
from srpo.report.shell import content_policy
from srpo.report.summary import tiles
from srpo.report.systems import front_figure, radar_figure
from srpo.report.wording import METRICS, read_comparison

SECTIONS = {"systems", "levels", "categories", "steps", "probes", "benchmarks", "judges"}


def ids_of(page: Page) -> list[str]:
    return [str(a["id"]) for _, a in page.elements if "id" in a]


def queries(page: Page) -> list[dict[str, str]]:
    """The keys of every link to items."""
    links = [str(a["href"]) for a in page.all("a") if "#items?" in str(a.get("href"))]
    return [{key: value[0] for key, value in parse_qs(link.split("#items?")[1]).items()} for link in links]


def test_a_whole_evaluation_is_balanced_html_with_known_elements_and_unique_ids():
    page = Page(render_page(evaluation(), items="items.html"))
    assert {tag for tag, _ in page.elements} <= TAGS and page.unbalanced == [] and page.open == []
    ids = ids_of(page)
    wanted = [str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")]
    wanted += [name for a in page.all("svg") for name in (a.get("aria-labelledby") or "").split()]
    assert len(ids) == len(set(ids)) and set(wanted) <= set(ids) and set(ids) >= SECTIONS


def test_what_was_not_evaluated_has_no_section():
    one = report(systems={"base": {"safe": metric(0.5)}}, comparisons=())
    assert not SECTIONS & set(ids_of(Page(render_page(one))))


def test_hostile_names_add_no_element_and_no_attribute():
    html = render_page(hostile_evaluation(), items="items.html")
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= TAGS and page.unbalanced == [] and page.open == []
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"style", "srcset", "target"})
    assert page.text.count("<script>alert(1)</script>") > 100 and "\u202e" not in html and "\x00" not in html
    assert all(str(a["href"]).startswith(("#", "items.html")) for a in page.all("a"))


def test_links_lead_to_items_and_say_what_stands_behind_the_number():
    found = queries(Page(render_page(evaluation(), items="items.html")))
    assert len(found) > 500 and {key for query in found for key in query} == set(get_args(Key))
    assert {query["system"] for query in found} == set(SYSTEMS)
    assert {"system": "sft", "metric": "over_refusal", "decoding": "sampled"} in found
    assert {"system": "sft", "metric": "safe", "decoding": "greedy", "level": "10"} in found
    assert {
        "system": "srpo",
        "baseline": "base",
        "metric": "safe",
        "decoding": "greedy",
        "change": "fixed",
    } in found


def test_a_page_without_items_has_plain_numbers():
    assert "#items" not in render_page(evaluation())


def test_items_link_encodes_every_value_and_knows_its_keys():
    assert items_link(None, system="a") is None
    assert items_link("", system="a b", metric=None, split="x&y=z#?") == "#items?system=a%20b&split=x%26y%3Dz%23%3F"
    assert str(items_link("items.html", system=HOSTILE)).isascii()
    with pytest.raises(TypeError, match="sistem"):
        items_link("", sistem="a")


def test_policy_allows_the_named_scripts_and_no_other():
    digest = base64.b64encode(hashlib.sha256(b"run()").digest()).decode()
    assert f"script-src 'sha256-{digest}';" in content_policy("sheet", scripts=["run()"])
    assert "script-src" not in content_policy("sheet") and "default-src 'none'" in content_policy("sheet")
    assert content_policy("a", "b").count("'sha256-") == 2


@pytest.mark.parametrize("number", range(1, 9))
def test_one_to_eight_systems_of_any_name_make_a_page(number):
    systems = {f"system {i}": rates_of("sft", 0.01 * i) for i in range(number)}
    one = report(systems=systems, comparisons=(), training={})
    page = Page(render_page(one))
    assert all(name in page.text for name in systems) and page.unbalanced == []
    assert ("compared with" in page.text) is (number > 1)


def test_the_wide_table_has_a_column_per_system_and_differences_against_the_first():
    html = render_page(evaluation())
    row = re.search(r'<th scope="row">Safe reply<span class="note">.*?</tr>', html, re.DOTALL)[0]
    text = Page(row).text
    assert re.findall(r'data-name="(\w+)"><span class="value">([\d.]+)', row) == [
        ("base", "35.0"),
        ("sft", "60.0"),
        ("orpo", "55.0"),
        ("srpo", "85.0"),
    ]
    assert text.count("better") == 3 and "p = 0.012 (Holm)" in text and "41 fixed, 7 broken" in text
    assert "+50.0 points" in text and "detectable: 5.6 points" in text


def test_over_refusal_stands_beside_safety_everywhere():
    names = list(METRICS)
    assert names.index("over_refusal") == names.index("safe") + 1
    assert [tile.label for tile in tiles(evaluation())][:3] == ["Whole set right", "Safe reply", "Over-refusal"]


def test_every_known_rate_is_described():
    assert [name for name, words in METRICS.items() if not words.definition or not words.items] == []


def test_the_finding_of_a_comparison_outweighs_its_interval():
    evident = comparison("safe", 0.2, 0.1, 0.3, 0.01)
    assert read_comparison(evident).kind == "better"
    assert read_comparison(evident.model_copy(update={"p_adjusted": 0.2})).kind == "same"
    found = evident.model_copy(update={"finding": "no evidence of a difference"})
    assert read_comparison(found).kind == "same"
    assert read_comparison(evident.model_copy(update={"finding": "not compared"})).kind == "unknown"


def test_verdict_has_a_sentence_per_system():
    text = verdict(evaluation())
    assert text.count("against base, greedy: better in") == 3


def test_too_many_unscored_items_leave_bounds_and_no_headline():
    rates = {"safe": metric(0.9, 80, unscored=20), "effective_benign": metric(0.9)}
    one = report(systems={"base": rates, "srpo": rates}, comparisons=(compared("srpo", "safe", "not compared"),))
    (tile,) = [tile for tile in tiles(one) if tile.label == "Safe reply"]
    assert [line.value.replace("\u00a0", " ") for line in tile.lines] == ["72 to 92 %"] * 2
    assert front_figure(one) is None


def test_the_front_figure_names_who_is_on_it():
    figure = front_figure(evaluation())
    assert "better in both" not in figure.caption and "good in both: base, srpo." in figure.caption
    assert [row[0::3] for row in figure.rows] == [("base", "yes"), ("sft", "no"), ("orpo", "no"), ("srpo", "yes")]


def test_the_radar_warns_of_itself_and_shows_its_values():
    figure = radar_figure(evaluation())
    assert "says nothing by itself" in figure.caption and figure.beside
    assert figure.rows[2][:2] == ("Over-refusal", "32.5 % (28\u201338)")
    assert ">no over-<" in figure.svg or "no over-refusal" in figure.svg


def test_the_square_counts_shares_of_what_was_judged_on_both_sides():
    first = squares(evaluation(), "items.html")[0]
    assert first.rows[0][0] == "reasoning safe"
    assert first.rows[0][2] == Linked(
        "9 (9.0 %)",
        "items.html#items?system=base&decoding=greedy&pair=path%20safe%2C%20answer%20unsafe",
    )
    assert first.note.text == "2 not judged"


def test_official_and_v1_stand_side_by_side_with_their_judges_and_defects():
    siuo, xstest, moss = public_parts(evaluation())
    assert [(c.protocol, c.judge) for c in siuo.columns] == [
        ("official", "hf:guard/2"),
        ("v1", "hf:guard/2"),
        ("v1", "openai:other/1"),
    ]
    base = siuo.lines[0]
    assert (base.rate, base.system) == ("safe", "base")
    assert [cell.value.replace("\u00a0", " ") for cell in base.cells] == ["25.0 %", "35.0 %", "35.0 %"]
    assert siuo.defects[0] == ("official protocol, hf:guard/2", "base", ("strict_parser: 12",))
    assert siuo.warnings == () and xstest.name == "xstest"
    assert moss.lines[0].cells[0].warn and "no headline" in moss.warnings[0]
    assert moss.figures == ()


def test_a_protocol_that_was_not_run_for_a_system_is_said_and_is_not_zero():
    one = evaluation(benchmarks=(score("b", "v1", "base", "j"), score("b", "official", "srpo", "j")))
    (view,) = public_parts(one)
    assert view.lines[0].cells[1] is None
    text = Page(render_page(one)).text
    assert "not run" in text


def test_judge_cards_show_confusion_agreement_and_corrected_rates():
    text = Page(render_page(evaluation())).text
    for words in ("people: yes 41 6", "people: no 9 139", "5 unscored", "Kappa with people 0.79 0.74 to 0.84 n = 200"):
        assert words in text
    for words in ("Sensitivity 87.2 %", "judge, raw", "corrected, PPI++", "corrected, Rogan-Gladen", "What sways"):
        assert words in text
    assert "answer safe 0.71 0.66 to 0.76" in text


def test_levels_are_in_the_order_of_numbers():
    text = Page(render_page(evaluation())).text
    assert text.index("Level 1 ") < text.index("Level 2 ") < text.index("Level 10 ")


def test_faithfulness_and_probes_are_read_against_their_controls():
    text = Page(render_page(evaluation())).text
    for words in ("Another step removed (control)", "Removed, beyond the control", "Blank picture", "As it is"):
        assert words in text
    assert "+30.0 (+24 to +36)" in text and "-20.0 (-26 to -14)" in text


@pytest.mark.parametrize(
    ("systems", "benchmarks", "said"),
    [
        ({}, ["siuo", "vqa", "msts"], "beside siuo, msts"),
        ({"base": {"safe": metric(0.5)}}, ["figstep"], "beside figstep"),
        ({"base": {"over_refusal": metric(0.5)}}, ["siuo"], None),
        ({}, ["siuo", "xstest"], None),
        ({}, ["vqa", "siuo_mcqa"], None),
    ],
)
def test_safety_without_over_refusal_is_said(systems, benchmarks, said):
    scores = tuple(score(name, "v1", "base", "rule", measures=BENCHMARKS[name].measures) for name in benchmarks)
    one = report(systems=systems, comparisons=(), benchmarks=scores)
    words = lonely_rates(one)
    assert (words is None) == (said is None)
    text = Page(render_page(one)).text
    assert ("No over-refusal is measured" in text) == (said is not None) and (said is None or said in text)


def test_judges_of_one_family_are_said():
    values = {"base": {"safe": metric(0.5)}}
    for second, said in (("qwen3-vl@2", True), ("gemma-3@2", False)):
        one = report(systems=values, comparisons=(), judges={"qwen2.5-vl@1": values, second: values})
        assert ("judges are of one family (qwen)" in Page(render_page(one)).text) is said
