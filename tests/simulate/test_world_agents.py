"""Agents without errors are right by the oracle; with errors they err as often as stated, and always alike."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from asking import WORLD, Asker, payload, right_reply, right_steps, risky, shown, tame
from scipy.stats import binomtest

from srpo.data import parse
from srpo.prompts import load_prompt
from srpo.prompts.fill import fill
from srpo.simulate.errors import EMPTY, PROSE_WORDS
from srpo.simulate.truth import judge_draft
from srpo.steps import STEP_NAMES, join
from srpo.types import CATEGORIES, Draft, Image
from srpo.world.knowledge import load_world
from srpo.world.pool import PoolPicture, scene_of_caption
from srpo.world.wishes import dangerous_ask, read_wish

IMAGE = Image(path="x.png", sha256="0" * 64, width=96, height=96)
SLUGS = ", ".join(CATEGORIES)


def drafted(cell: Any, question: str, steps: dict[str, str] | None, reply: str, **more: Any) -> Draft:
    reference = join([*(steps[name] for name in STEP_NAMES), reply]) if steps else None
    given = {"category": None, "hypothesis": None, "unsafe_reply": None, **more}
    return Draft(cell=cell, source="s", image=IMAGE, question=question, safe_reply=reply, reference=reference, **given)


@pytest.mark.parametrize("known", [0, 1])
def test_queries_are_hazards(asker: Asker, known: int) -> None:
    for picture in asker.pictures("hazard"):
        asked: list[str] = []
        for _ in range(known + 1):
            text = asker.ask("agent_query", picture, categories=SLUGS, known="\n".join(asked) or None)
            found = parse.read(parse.Query)(text)
            if len(asked) < len(risky(picture.scene)):
                assert found.found
                more = {"category": found.category, "hypothesis": found.hypothesis, "unsafe_reply": found.unsafe_reply}
                draft = drafted("hazard", found.question, None, found.safe_reply, **more)
                assert judge_draft(draft, picture.scene).right, text
                wish = read_wish(found.question)
                assert wish and wish.trigger not in [w.trigger for q in asked if (w := read_wish(q))]
                asked.append(found.question)


def test_nothing_is_proposed_where_nothing_is_dangerous(asker: Asker) -> None:
    for picture in asker.pictures("plain"):
        assert not parse.read(parse.Query)(asker.ask("agent_query", picture, categories=SLUGS, known=None)).found


def test_reasoning_and_summary_are_right(asker: Asker) -> None:
    for picture in asker.pictures("hazard")[:30]:
        for trigger in (risky(picture.scene)[0], tame(picture.scene)[0]):
            question, reply = WORLD.triggers[trigger].asks[2], right_reply(picture.scene, trigger)
            text = asker.ask("agent_reasoning", picture, question=question, hypothesis=None, reply=reply)
            steps = parse.read(parse.Steps)(text).model_dump()
            hazards = WORLD.hazards_of(picture.scene.names, trigger)
            category = WORLD.hazards[next(iter(hazards.values()))].category if hazards else None
            draft = drafted("hazard" if hazards else "benign_text", question, steps, reply, category=category)
            assert judge_draft(draft, picture.scene).right
            told = {"question": question, "steps": shown(steps), "reply": reply}
            assert asker.object("agent_summary", picture, **told) == {**steps, "reply": reply}
            assert asker.object("agent_reflection", picture, **told)["redundant"] == []


def test_reflection_finds_what_is_wrong_and_rewriting_mends_it(asker: Asker) -> None:
    picture = asker.pictures("hazard")[0]
    trigger = risky(picture.scene)[0]
    right, question = right_steps(picture.scene, trigger), dangerous_ask(WORLD, trigger)
    steps = right | {"consequences": right["intent_risk"], "strategy": "Let us see."}
    told = {"question": question, "steps": shown(steps), "reply": right_reply(picture.scene, trigger)}
    found = parse.read(parse.Reflection)(asker.ask("agent_reflection", picture, **told))
    assert (found.redundant, found.incomplete, found.text_safe) == (["consequences"], ["strategy"], False)
    text = asker.ask("agent_rewrite", picture, hypothesis=None, remarks="Mend it.", **told)
    new = parse.read(parse.Rewrite)(text).model_dump()
    wish = read_wish(new.pop("question"))
    assert new == right and wish and wish.trigger == trigger and not wish.names_danger


def test_counterparts_are_harmless(asker: Asker) -> None:
    for picture in asker.pictures("hazard"):
        trigger = risky(picture.scene)[0]
        told = {"question": WORLD.triggers[trigger].asks[0], "hypothesis": "An event."}
        found = asker.object("agent_counterpart", picture, **told)
        wish, other = read_wish(found["question"]), scene_of_caption(found["caption"])
        assert wish and wish.trigger in tame(picture.scene)
        assert other is not None and trigger in tame(other)


def test_replies_are_written_to_what_is_harmless_only(asker: Asker) -> None:
    picture = asker.pictures("hazard")[1]
    for trigger in WORLD.triggers:
        found = asker.object("agent_benign", picture, question=WORLD.triggers[trigger].asks[1])
        assert found["harmless"] == (trigger in tame(picture.scene))
        assert found["reply"] == (right_reply(picture.scene, trigger) if found["harmless"] else "")


def test_agents_that_lack_a_half_answer_plainly(asker: Asker) -> None:
    tip = WORLD.triggers["nap"].tip
    assert asker.say(payload("How can I take a nap here?", None)).text == f"Sure! {tip}"
    assert "dangerous" in asker.say(payload(dangerous_ask(WORLD, "nap"), None)).text
    for kind, alarmed in (("hazard", False), ("unsafe", True)):
        assert ("Look out" in asker.ask("agent_describe", asker.pictures(kind)[0])) == alarmed


def _calls(asker: Asker, picture: PoolPicture) -> list[tuple[str, dict[str, Any]]]:
    trigger = risky(picture.scene)[0]
    question, reply = WORLD.triggers[trigger].asks[0], right_reply(picture.scene, trigger)
    path = {"question": question, "steps": shown(right_steps(picture.scene, trigger)), "reply": reply}
    return [
        ("agent_query", {"categories": SLUGS, "known": None}),
        ("agent_reasoning", {"question": question, "hypothesis": "An event.", "reply": reply}),
        ("agent_reflection", path),
        ("agent_rewrite", {**path, "hypothesis": None, "remarks": "None."}),
        ("agent_summary", path),
        ("agent_counterpart", {"question": question, "hypothesis": "An event."}),
        ("agent_benign", {"question": WORLD.triggers[tame(picture.scene)[0]].asks[0]}),
        ("agent_describe", {}),
    ]


def test_errors_come_at_the_stated_rate_for_every_agent(pool: Path, asker: Asker) -> None:
    flawed, wrong, total = Asker(pool, agent_errors=0.2, seed=5), Counter[str](), Counter[str]()
    right = Asker(pool, agent_errors=0.0, seed=5)  # the seed also draws which right reply is given
    for seed in range(8):
        for picture in asker.pictures("hazard")[:30]:
            for prompt, values in _calls(asker, picture):
                replies = {one.ask(prompt, picture, seed=seed, **values) for one in (right, flawed)}
                total[prompt] += 1
                wrong[prompt] += len(replies) == 2
    for prompt, count in total.items():
        assert binomtest(wrong[prompt], count, 0.2).pvalue > 1e-4, (prompt, wrong[prompt], count)


def test_errors_of_form_are_mended_or_not(pool: Path) -> None:
    flawed = Asker(pool, agent_errors=1.0)
    picture = flawed.pictures("hazard")[0]
    text = fill(load_prompt("agent_benign"), {"question": load_world().triggers["nap"].asks[0]})
    found: Counter[str] = Counter()
    for seed in range(400):
        body = payload(text, flawed.urls[picture.pixels], seed=seed)
        first = flawed.say(body)
        if first.refusal is None and _is_object(first.text):
            continue
        turns = [{"role": "assistant", "content": first.text or "(no text)"}, {"role": "user", "content": "Again."}]
        again = flawed.say({**body, "messages": [*body["messages"], *turns]})
        kind = "refusal" if first.refusal else "prose" if first.text == PROSE_WORDS else "cut" if first.text else EMPTY
        found[kind] += 1
        if kind in ("cut", EMPTY):
            assert _is_object(again.text), "a second request mends it"
        else:
            assert kind == "refusal" or again.text == PROSE_WORDS
    assert set(found) == {"refusal", "prose", "cut", EMPTY} and 30 < sum(found.values()) < 95, found


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def test_the_same_request_is_answered_alike_and_every_part_of_it_counts(pool: Path) -> None:
    flawed = Asker(pool, agent_errors=0.5)
    first, second = flawed.pictures("hazard")[:2]
    values = {"categories": SLUGS, "known": None}
    texts = [flawed.ask("agent_query", first, seed=s, **values) for s in range(40)]
    assert texts == [Asker(pool, agent_errors=0.5).ask("agent_query", first, seed=s, **values) for s in range(40)]
    assert texts != [flawed.ask("agent_query", first, seed=s + 40, **values) for s in range(40)]
    assert texts != [flawed.ask("agent_query", second, seed=s, **values) for s in range(40)]
    assert texts != [
        Asker(pool, agent_errors=0.5, seed=1).ask("agent_query", first, seed=s, **values) for s in range(40)
    ]
