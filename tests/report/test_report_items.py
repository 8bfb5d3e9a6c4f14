"""Rows of the page of items, before any browser."""

from __future__ import annotations

import json
import re

import pytest
from item_rows import SYSTEMS, answers, bench_answer, bench_item, label, outcomes
from page_parser import Page
from report_rows import HOSTILE, completion, png, result, sample

from srpo.report.browser import pack, render_items, unpack
from srpo.report.items import Answers, collect_items
from srpo.report.outcomes import Marks, Outcomes, Place
from srpo.report.pictures import data_uri_of, embed_pictures

PLACE = Place("rsbench", "g1")


def test_every_judged_answer_is_there_once_with_systems_side_by_side():
    run = answers()
    found = collect_items(run)
    assert found.systems == SYSTEMS and len(found.items) == 36 and len(found.rows) == 72
    assert all(row["outputs"][place] for row in found.rows for place in range(len(SYSTEMS)))
    assert [row["decoding"] for row in found.rows[:4]] == ["greedy", "sampled"] * 2


def test_items_without_a_judgement_are_left_out_and_a_missing_system_stays_empty():
    of, other = sample("g1"), sample("g2")
    wrote = [completion(of, "base"), completion(of, "srpo"), completion(other, "base")]
    found = collect_items(Answers([of, other], wrote, [result(wrote[0], of)]), systems=("base", "srpo"))
    assert [item["id"] for item in found.items] == [of.id]
    assert found.rows[0]["outputs"][0]["reply"][:2] == ["base answer", "good"] and found.rows[0]["outputs"][1] is None


@pytest.mark.parametrize(
    ("value", "good", "mark"),
    [
        (True, True, "r"),
        (False, True, "w"),
        (True, False, "w"),
        (False, False, "r"),
        (None, True, "u"),
        (0.5, True, "r"),
    ],
)
def test_a_value_that_is_good_is_right_and_none_is_unscored(value, good, mark):
    of = completion(sample("g1"), "base")
    marks = Marks([Outcomes("own", "base", "greedy", {of.sample: value}, good)])
    assert marks.of(of, PLACE, None) == "-" + mark


def test_rates_count_their_own_answers_only():
    of = completion(sample("g1"), "base")
    same = {of.sample: True}
    other = [
        Outcomes("a", "srpo", "greedy", same),
        Outcomes("b", "base", "sampled", same),
        Outcomes("c", "base", "greedy", same, probe="blank"),
        Outcomes("d", "base", "greedy", same, repeat=1),
        Outcomes("e", "base", "greedy", same, benchmark="toy"),
        Outcomes("f", "base", "greedy", {"g1": True}),
    ]
    assert Marks(other).of(of, PLACE, None) == "-------"
    counted = [
        Outcomes("f", "base", "greedy", {"g1": True}, by_group=True),
        Outcomes("g", "base", "greedy", same, repeat=None),
    ]
    assert Marks(counted).of(of.model_copy(update={"repeat": 3}), PLACE, None) == "--r"


def test_draws_and_probes_are_rows_of_their_own():
    of = sample()
    plain = completion(of, "base")
    wrote = [
        plain.model_copy(update={"id": f"{r}{p}", "repeat": r, "probe": p}) for r in (0, 1) for p in (None, "blank")
    ]
    found = collect_items(Answers([of], wrote, [result(one, of) for one in wrote]))
    assert [(row["repeat"], row["probe"]) for row in found.rows] == [(0, ""), (1, ""), (0, "blank"), (1, "blank")]


def test_a_benign_cell_has_the_category_of_its_set():
    found = collect_items(answers())
    assert {item["category"] for item in found.items if item["group"] == "g1"} == {"privacy"}


def test_unsafe_items_are_covered_and_so_is_a_benign_one_with_an_unsafe_reply():
    hazard, unsafe, fine = sample("g1"), sample("g1", "benign_text"), sample("g1", "benign_both")
    wrote = [completion(of, "base") for of in (hazard, unsafe, fine)]
    results = [result(w, of, of is not unsafe) for w, of in zip(wrote, (hazard, unsafe, fine), strict=True)]
    items = collect_items(Answers([hazard, unsafe, fine], wrote, results)).items
    assert [item["id"] for item in items if item["sensitive"]] == [hazard.id, unsafe.id]


def test_labels_of_public_benchmarks_are_told_with_their_defects_and_failures():
    item = bench_item(1)
    wrote = bench_answer(item, "base")
    found = collect_items(
        Answers([], [wrote], [], [item], [label(wrote, item, "official"), label(wrote, item, "v1", failure=None)])
    )
    (row,), (described,) = found.rows, found.items
    official, v1 = row["outputs"][0]["told"]
    assert official["judge"] == "official, rule" and v1["judge"] == "v1, rule"
    assert official["values"] == [["safe", "yes"], ["class", "2"], ["effective", "could not be judged"]]
    assert official["notes"] == ["could not judge: unparsed", "decided by a known defect: first-group-only"]
    assert v1["notes"] == ["decided by a known defect: first-group-only"] and v1["raw"] == ["the judge wrote this"]
    assert described["sensitive"] and described["split"] == "safe half" and described["pictures"] == []
    assert row["outputs"][0]["steps"] == [] and row["outputs"][0]["reply"] == ["A plain reply", "", ""]


def test_a_second_judge_stands_below_the_first():
    of = sample()
    wrote = completion(of, "base")
    results = [result(wrote, of, True), result(wrote, of, False, judge="other/1")]
    (told,) = collect_items(Answers([of], [wrote], results)).rows[0]["outputs"][0]["told"]
    assert told["judge"] == "other/1" and ["answer safe", "no"] in told["values"]


def test_packing_is_exact_and_equal_for_equal_data():
    data = {"text": HOSTILE.replace("\ud800", ""), "rows": [1, None, True]}
    assert unpack(pack(data)) == data and pack(data) == pack(json.loads(json.dumps(data)))
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", pack(data))


def test_texts_are_clipped_and_hidden_characters_are_shown():
    of = sample(question="\u202e" + "x" * 1_000_000)
    wrote = completion(of, "base", text="\x00\ud800" + "y" * 1_000_000)
    found = collect_items(Answers([of], [wrote], [result(wrote, of)]))
    assert found.items[0]["question"].startswith("[U+202E]xxx") and len(found.items[0]["question"]) < 3100
    ((_, _, text, _, _), *_) = found.rows[0]["outputs"][0]["steps"]
    assert text.startswith("[U+0000][U+D800]y") and len(text) < 3100


def test_the_page_allows_its_own_script_alone_and_no_parsed_markup(tmp_path):
    page = Page(render_items(collect_items(answers(2)), tmp_path))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.count("script-src 'sha256-") == 1 and "unsafe" not in policy and "default-src 'none'" in policy
    assert policy.endswith("require-trusted-types-for 'script'; trusted-types 'none'")
    assert page.unbalanced == []


def test_equal_runs_give_equal_pages(tmp_path):
    run = answers(2)
    pages = {render_items(collect_items(run, list(outcomes(run.results))), tmp_path) for _ in range(2)}
    assert len(pages) == 1


def test_a_picture_stands_in_the_page_once_until_the_budget_is_used_up(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(png())
    first, second, third = embed_pictures(["a.png", "b.png", "missing.png"], tmp_path, budget=10)
    assert first.source == data_uri_of(tmp_path / "a.png") and str(first.source).startswith("data:image/png;base64,")
    assert second.source == "b.png" and third.source is None
    one = sample()
    found = collect_items(Answers([one], [w := completion(one, "base")], [result(w, one)]))
    assert found.pictures == ("picture.png",) and collect_items(answers()).pictures == ("picture.png",)


def test_large_pictures_are_shrunk_and_links_cannot_leave_for_another_host(tmp_path):
    (tmp_path / "large.png").write_bytes(png((1500, 700)))
    assert str(data_uri_of(tmp_path / "large.png")).startswith("data:image/webp;base64,")
    (tmp_path / "javascript:x").mkdir()
    (tmp_path / "javascript:x" / "#<b>.png").write_bytes(png())
    (linked,) = embed_pictures(["javascript:x/#<b>.png"], tmp_path, budget=0)
    assert linked.source == "javascript%3Ax/%23%3Cb%3E.png"


@pytest.mark.parametrize("content", [b"", b"<svg onload='alert(1)'/>", png()[:40]])
def test_what_is_no_picture_is_not_shown(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    assert data_uri_of(tmp_path / "x.png") is None


def test_rows_of_the_tests_hold_every_outcome():
    """Otherwise filters are compared on too little."""
    run = answers()
    rows = collect_items(run, list(outcomes(run.results))).rows
    columns = zip(*(output["marks"] for row in rows for output in row["outputs"]), strict=True)
    assert [set(column) for column in columns if not set(column) >= {"r", "w"}] == []
