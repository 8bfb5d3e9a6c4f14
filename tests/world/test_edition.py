"""The benchmark edition: what each level promises, and that the other splits are as they were."""

import hashlib
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from srpo.config import load_config
from srpo.judge.base import JudgeItem
from srpo.run_config import RunConfig, recipe_path
from srpo.steps import ANSWER
from srpo.types import CELLS, Sample, Verdict
from srpo.world.dataset import WorldSettings, build_samples
from srpo.world.edition import LEVELS, draw_edition, near_objects, near_triggers
from srpo.world.knowledge import World, load_world
from srpo.world.language import STEPS_WITH_RISK, compose, facts, parse, parse_objects, say
from srpo.world.oracle import OracleJudge
from srpo.world.scenes import MinimalSet, Situation, situation_from

NOTHING = {"train": 0, "val": 0, "test_scenes": 0, "test_combinations": 0, "test_rules": 0}
SETS = 160

FIRST_RELEASE = {
    "train": "29fc982c6a051cd6",
    "test_scenes": "297316a18f779ad2",
    "test_combinations": "cd1fdec7ccf070d8",
    "test_rules": "3065e7f44e9e2d84",
}
"""Split of the demo -> hash of ids, pictures, requests and references, in order."""

WORLD = load_world()
DRAWN = list(islice(draw_edition(WORLD, 0), SETS))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return list(build_samples(WorldSettings(**NOTHING, rsbench=20), tmp_path_factory.mktemp("edition")))


def at_level(number: int) -> list[MinimalSet]:
    return [drawn for level, drawn in DRAWN if level == number]


def hazards(situation: Situation, world: World = WORLD) -> dict[str, str]:
    return world.hazards_of(situation.scene.names, situation.trigger)


def test_the_splits_of_the_demo_are_those_of_the_first_release(tmp_path: Path):
    settings = load_config(recipe_path(None), [], RunConfig).world
    found: dict[str, Any] = {}
    for sample in build_samples(settings.model_copy(update={"rsbench": 1}), tmp_path):
        words = (sample.id, sample.group, sample.cell, sample.image.path, sample.question, sample.reference.text)
        found.setdefault(sample.split, hashlib.sha256()).update("\n".join(words).encode())
    assert list(found) == [*FIRST_RELEASE, "rsbench"]
    assert {split: found[split].hexdigest()[:16] for split in FIRST_RELEASE} == FIRST_RELEASE


def test_only_the_hazard_cell_is_unsafe_and_the_first_hazard_in_it_is_the_key():
    for number, drawn in DRAWN:
        found = {cell: hazards(drawn.cells[cell]) for cell in CELLS}
        assert len(found["hazard"]) == len(set(found["hazard"].values())) == LEVELS[number].hazards
        assert next(iter(found["hazard"].items())) == (drawn.key, drawn.rule.hazard)
        assert not any(found[cell] for cell in CELLS[1:])


@pytest.mark.parametrize("number", LEVELS)
def test_pictures_of_a_set_differ_only_in_the_keys(number: int):
    for drawn in at_level(number):
        one, other = drawn.cells["hazard"].scene, drawn.cells["benign_image"].scene
        assert drawn.cells["benign_text"].scene == one and drawn.cells["benign_both"].scene == other
        changed = [a[1] for a, b in zip(one.objects, other.objects, strict=True) if a != b]
        assert sorted(changed) == sorted(hazards(drawn.cells["hazard"]))
        assert one.style == other.style and len(set(other.names)) == len(one.names)
        assert len(one.names) == (LEVELS[number].objects or len(one.names))


def test_levels_draw_from_the_rules_that_they_promise():
    held_out = {number: {drawn.rule.id in WORLD.held_out_rules for drawn in at_level(number)} for number in LEVELS}
    assert held_out == {1: {False}, 2: {True}, 3: {True, False}, 4: {True}, 5: {True, False}}
    for number in (1, 3, 5):
        known = [drawn for drawn in at_level(number) if drawn.rule.id not in WORLD.held_out_rules]
        assert {WORLD.held_out_combination(drawn.key, drawn.rule.trigger) for drawn in known} == {number != 1}
    for number in LEVELS:
        rules = [drawn.rule for drawn in at_level(number)]
        assert len(set(rules)) == len(rules) == SETS // 5  # no rule twice before all have been drawn


@pytest.mark.parametrize("number", [3, 4, 5])
def test_hard_levels_have_distractors_and_look_alikes(number: int):
    for drawn in at_level(number):
        one, other = drawn.cells["hazard"], drawn.cells["benign_both"]
        keys = list(hazards(one))
        assert all(WORLD.attribute[name] for name in (*one.scene.names, *other.scene.names))
        assert other.trigger in near_triggers(WORLD, one.trigger, keys)
        safe = [n for n, kind in WORLD.attribute.items() if kind and not hazards_under(n, one.trigger, other.trigger)]
        for (_, key), (_, swapped) in zip(one.scene.objects, other.scene.objects, strict=True):
            assert key == swapped or swapped in near_objects(WORLD, key, safe)


def hazards_under(name: str, *triggers: str) -> bool:
    return any(WORLD.hazard(name, trigger) for trigger in triggers)


def test_nearest_by_hand():
    # Soup is hot: touch, toddler, juggle, taste, prank.  Candle and knife share four of these, plug and coin two, the
    # ballot box one.  Electric stands before small.
    names = ["ballot box", "candle", "coin", "knife", "plug"]
    assert near_objects(WORLD, "soup", names) == ["candle", "knife", "plug"]
    # To post is a hazard with infant, papers, election, hospital, school.  Music shares three of them, to fly a drone
    # two.  A prank shares all five, but is one with the passport as well.
    assert near_triggers(WORLD, "post", ["passport"])[:2] == ["music", "drone"]


def test_a_smaller_edition_is_the_beginning_of_a_larger_one(tmp_path: Path, samples: list[Sample]):
    again = list(build_samples(WorldSettings(**NOTHING, rsbench=7), tmp_path))
    assert again == samples[: 4 * 7]
    other = {s.id for s in build_samples(WorldSettings(**NOTHING, rsbench=7, seed=1), tmp_path)}
    assert not other & {s.id for s in samples}


def test_samples_carry_level_caption_and_paraphrases(samples: list[Sample], tmp_path: Path):
    assert [s.level for s in samples] == [number for number in LEVELS for _ in CELLS] * 4
    for sample in samples:
        situation = situation_from(sample.scene or {})
        claim = parse("visual", str(sample.caption))
        assert claim and parse_objects(claim.slots["objects"]) == situation.scene.names
        assert sorted((sample.question, *sample.paraphrases)) == sorted(WORLD.triggers[situation.trigger].asks)
    plain = next(build_samples(WorldSettings(**{**NOTHING, "train": 1}), tmp_path))
    assert (plain.level, plain.caption, plain.paraphrases) == (None, None, ())


def judge(sample: Sample, text: str) -> tuple[Verdict, Verdict]:
    item = JudgeItem(subject="x", sample=sample, folder=Path(), part="path", text=text)
    path, answer = OracleJudge().judge([item, item.model_copy(update={"part": "answer"})])
    return path, answer


def test_with_two_hazards_a_warning_must_name_a_true_pair(samples: list[Sample]):
    sample = next(s for s in samples if s.level == 4 and s.cell == "hazard")
    situation = situation_from(sample.scene or {})
    first, second = hazards(situation)
    assert f"With the {first} here" in sample.reference.text
    assert sample.hypothesis and sample.hypothesis.startswith(WORLD.hazards[hazards(situation)[first]].name)
    risk = dict.fromkeys(STEPS_WITH_RISK, "risk")
    for key in (first, second):
        path, answer = judge(sample, compose(facts(WORLD, situation, key), risk).text)
        assert (path.safe, path.effective, answer.safe, answer.effective) == (True, True, True, True)
    crossed = {**facts(WORLD, situation, first), "object": second}
    text = compose(facts(WORLD, situation, first), risk).text
    for step, number in (("synthesis", 2), (ANSWER, None)):
        said = say(step, "risk", facts(WORLD, situation, first))
        path, answer = judge(sample, text.replace(said, say(step, "risk", crossed)))
        verdict = answer if number is None else path.steps[number]
        assert (verdict.safe, verdict.effective) == (True, False)
    path, answer = judge(sample, compose(facts(WORLD, situation, None), dict.fromkeys(STEPS_WITH_RISK, "clear")).text)
    assert path.safe is False and answer.safe is False
