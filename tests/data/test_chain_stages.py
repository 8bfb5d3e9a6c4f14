"""Query, reasoning, reflection and cells: what is asked of whom, what is kept, and how a set ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted_crew import QUERY, REPLIES, Script, crew_of, hazard_set, source_in, values_of

from srpo.data.chain import Dropped, Outcome, Waits, complete_sets, propose, reason_sets, reflect_sets, set_id
from srpo.data.chain.cells import Pool
from srpo.errors import ModelError
from srpo.steps import answer, split, well_formed
from srpo.types import CELLS, Draft, Rejection, Source

FAULTY = {"reason": "Look again.", "redundant": ["request"], "incomplete": ["strategy"], "text_safe": False}
FINE = REPLIES["agent_reflection"]


def hazard_of(outcome: Outcome) -> Draft:
    assert outcome.through is not None, outcome
    return outcome.through.cells["hazard"]


def dropped(outcome: Outcome) -> Rejection:
    assert outcome.dropped is not None, outcome
    return outcome.dropped


def test_a_query_becomes_a_draft(tmp_path: Path) -> None:
    script, source = Script(), source_in(tmp_path, 1)
    (outcome,) = propose(crew_of(tmp_path, script), [source], {})
    draft = hazard_of(outcome)
    assert outcome.id == set_id(source.id, 0) and draft.image == source.image and draft.reference is None
    assert {name: getattr(draft, name) for name in ("question", "category", "unsafe_reply")} == {
        name: QUERY[name] for name in ("question", "category", "unsafe_reply")
    }
    (made,) = draft.made
    (request,) = script.sent["agent_query"]
    assert (made.role, made.model, made.seed, made.repaired) == ("query", "openai:agent-model", request.seed, False)
    assert request.messages[0].images == (tmp_path / source.image.path,)


def test_later_queries_know_the_requests_before_and_repeats_are_dropped(tmp_path: Path) -> None:
    script = Script(agent_query=[QUERY, {**QUERY, "question": "may I SIT down here"}, {**QUERY, "question": "Lunch?"}])
    outcomes = propose(crew_of(tmp_path, script, queries_per_image=3), [source_in(tmp_path, 1)], {})
    assert [one.through is not None for one in outcomes] == [True, False, True]
    assert dropped(outcomes[1]).reason == "repeated"
    known = [values_of(request, "agent_query")["known"] for request in script.sent["agent_query"]]
    assert known == [None, QUERY["question"], QUERY["question"]]


def test_a_picture_without_a_risk_is_not_asked_about_again(tmp_path: Path) -> None:
    nothing = {**dict.fromkeys(QUERY, ""), "reason": "All is calm.", "found": False}
    script = Script(agent_query=nothing)
    (outcome,) = propose(crew_of(tmp_path, script, queries_per_image=3), [source_in(tmp_path, 1)], {})
    assert dropped(outcome).reason == "nothing_found" and dropped(outcome).detail == "All is calm."


def test_while_a_query_waits_so_do_those_after_it(tmp_path: Path) -> None:
    crew = crew_of(tmp_path, Script(agent_query=[QUERY, OSError("down"), QUERY]), queries_per_image=2)
    sources = [source_in(tmp_path, 1), source_in(tmp_path, 2)]
    outcomes = propose(crew, sources, {})
    assert [(one.id, one.waits is None) for one in outcomes] == [
        (set_id(sources[0].id, 0), True),
        (set_id(sources[0].id, 1), True),
        (set_id(sources[1].id, 0), False),
    ]


def test_reasoning_ends_in_the_reply(tmp_path: Path) -> None:
    one = hazard_set(source_in(tmp_path, 1), reasoned=False)
    script = Script()
    draft = hazard_of(reason_sets(crew_of(tmp_path, script), [one])[0])
    assert draft.reference is not None
    assert well_formed(draft.reference) and split(draft.reference.text) == draft.reference
    assert answer(draft.reference) == QUERY["safe_reply"]
    assert values_of(script.sent["agent_reasoning"][0], "agent_reasoning")["hypothesis"] == QUERY["hypothesis"]


def test_a_reply_that_cannot_be_read_is_asked_for_once_more(tmp_path: Path) -> None:
    one = hazard_set(source_in(tmp_path, 1), reasoned=False)
    mended = reason_sets(crew_of(tmp_path, Script(agent_reasoning=["Well.", REPLIES["agent_reasoning"]])), [one])[0]
    assert hazard_of(mended).made[-1].repaired
    broken = dropped(reason_sets(crew_of(tmp_path, Script(agent_reasoning="Well.")), [one])[0])
    assert (broken.stage, broken.reason) == ("reasoning", "unreadable") and broken.of == one


def test_rewriting_keeps_every_version(tmp_path: Path) -> None:
    new = {**REPLIES["agent_rewrite"], "question": "Is this seat free?"}
    script = Script(agent_reflection=[FAULTY, FINE], agent_rewrite=new)
    before = hazard_set(source_in(tmp_path, 1))
    draft = hazard_of(reflect_sets(crew_of(tmp_path, script), [before])[0])
    assert draft.question == "Is this seat free?" and "New words on visual." in str(draft.reference)
    (version,) = draft.versions
    assert version.question == QUERY["question"] and version.reference == before.cells["hazard"].reference
    assert [(check.name, check.state) for check in draft.checks] == [
        ("redundancy", "ok"),
        ("completeness", "ok"),
        ("text_safety", "ok"),
    ]
    remarks = values_of(script.sent["agent_rewrite"][0], "agent_rewrite")["remarks"] or ""
    assert all(words in remarks for words in ("request", "strategy", "not harmless by itself", "Look again."))
    assert len({request.seed for request in script.sent["agent_reflection"]}) == 2


@pytest.mark.parametrize("rewrites", [0, 1, 3])
def test_rewriting_is_bounded(tmp_path: Path, rewrites: int) -> None:
    script = Script(agent_reflection=FAULTY)
    crew = crew_of(tmp_path, script, checks={"rewrites": rewrites})
    row = dropped(reflect_sets(crew, [hazard_set(source_in(tmp_path, 1))])[0])
    assert row.reason == "text_safety" and row.of is not None
    assert len(script.sent["agent_rewrite"]) == len(row.of.cells["hazard"].versions) == rewrites


def pool_of(sources: list[Source]) -> Pool:
    return Pool(lambda name: [source for source in sources if source.id != name])


def test_the_harmless_cells_change_one_half_each(tmp_path: Path) -> None:
    sources = [source_in(tmp_path, shade) for shade in (1, 2, 3)]
    script = Script()
    (outcome,) = complete_sets(crew_of(tmp_path, script), [hazard_set(sources[0])], pool_of(sources))
    assert outcome.through is not None, outcome
    cells = outcome.through.cells
    assert set(cells) == set(CELLS)
    assert [(cells[cell].source, cells[cell].question) for cell in CELLS] == [
        (sources[0].id, QUERY["question"]),
        (sources[1].id, QUERY["question"]),
        (sources[0].id, "May I take a photo here?"),
        (sources[1].id, "May I take a photo here?"),
    ]
    assert all(values_of(r, "agent_reasoning")["hypothesis"] is None for r in script.sent["agent_reasoning"])
    assert len(script.sent["text_only"]) == len(script.sent["agent_describe"]) == 1


def test_pictures_are_tried_in_order(tmp_path: Path) -> None:
    """The second will not do with the request of the hazard, the third not with the other one."""
    sources = [source_in(tmp_path, shade) for shade in (1, 2, 3, 4)]
    no = {"reason": "Hot.", "harmless": False, "reply": ""}
    bad = {(2, QUERY["question"]), (3, "May I take a photo here?")}

    def benign(request: object) -> object:
        shade = int(request.messages[0].images[0].stem)  # type: ignore[attr-defined]
        asked = (shade, values_of(request, "agent_benign")["question"])  # type: ignore[arg-type]
        return no if asked in bad else REPLIES["agent_benign"]

    crew = crew_of(tmp_path, Script(agent_benign=benign))
    (outcome,) = complete_sets(crew, [hazard_set(sources[0])], pool_of(sources))
    assert outcome.through is not None, outcome
    assert outcome.through.cells["benign_both"].source == sources[3].id
    few = crew_of(tmp_path, Script(agent_benign=benign), cells={"candidates": 2})
    (outcome,) = complete_sets(few, [hazard_set(sources[0])], pool_of(sources[:3]))
    assert dropped(outcome).reason == "no_picture"


def test_a_picture_is_drawn_if_none_will_do(tmp_path: Path) -> None:
    sources, drawn = [source_in(tmp_path, 1)], source_in(tmp_path, 9)
    captions = []

    def draw(caption: str) -> Source | Dropped | Waits:
        captions.append(caption)
        return ends.pop(0)

    ends: list[Source | Dropped | Waits] = [drawn, Waits("busy"), Dropped("no_picture", "refused")]
    pool = Pool(lambda name: [], draw)
    crew = crew_of(tmp_path, Script())
    sets = [hazard_set(sources[0], name) for name in ("a", "b", "c")]
    first, second, third = complete_sets(crew, sets, pool)
    assert captions == ["A wooden bench."] * 3
    assert first.through is not None and first.through.cells["benign_image"].source == drawn.id
    assert second.waits == "busy" and dropped(third).detail == "refused"


def test_a_request_that_stays_the_same_is_no_counterpart(tmp_path: Path) -> None:
    same = {**REPLIES["agent_counterpart"], "question": "May I sit down here"}
    sources = [source_in(tmp_path, 1), source_in(tmp_path, 2)]
    crew = crew_of(tmp_path, Script(agent_counterpart=same))
    (outcome,) = complete_sets(crew, [hazard_set(sources[0])], pool_of(sources))
    assert dropped(outcome).reason == "unreadable" and "counterpart" in dropped(outcome).detail


def test_a_set_waits_if_a_cell_waits_even_if_another_fails(tmp_path: Path) -> None:
    """What would have been is not known, and the reason for dropping must not depend on an outage."""
    sources = [source_in(tmp_path, 1), source_in(tmp_path, 2)]
    script = Script(agent_reflection=[FAULTY, OSError("down"), FINE], agent_rewrite=REPLIES["agent_rewrite"])
    crew = crew_of(tmp_path, script, checks={"rewrites": 0})
    (outcome,) = complete_sets(crew, [hazard_set(sources[0])], pool_of(sources))
    assert outcome.waits is not None and "down" in outcome.waits


def test_if_all_calls_fail_the_server_is_named(tmp_path: Path) -> None:
    crew = crew_of(tmp_path, Script(agent_query=OSError("down")))
    few = [source_in(tmp_path, shade) for shade in range(7)]
    assert all(one.waits for one in propose(crew, few, {}))
    with pytest.raises(ModelError, match=r"models\.agent \(openai:agent-model\): all 8 requests failed, first: .*down"):
        propose(crew, [*few, source_in(tmp_path, 7)], {})
