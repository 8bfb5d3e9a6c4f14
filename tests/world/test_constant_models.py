"""Constant strategies against the exact judge: only a model that tells the cells apart gets a joint score."""

from collections.abc import Callable
from pathlib import Path

import pytest

from srpo.evaluate import metrics, score
from srpo.judge.base import JudgeItem
from srpo.types import Completion, Metric, Result, Sample
from srpo.world.dataset import WorldSettings, build_samples
from srpo.world.knowledge import load_world
from srpo.world.language import STEPS_WITH_RISK, compose, facts
from srpo.world.oracle import OracleJudge
from srpo.world.scenes import situation_from

SETS = 12


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    folder = tmp_path_factory.mktemp("world")
    settings = WorldSettings(train=0, test_scenes=SETS, test_combinations=0, test_rules=0)
    return folder, list(build_samples(settings, folder))


def rates(world: tuple[Path, list[Sample]], write: Callable[[Sample], str]) -> dict[str, Metric]:
    folder, samples = world
    results: list[Result] = []
    for sample in samples:
        done = Completion(
            id=sample.id, sample=sample.id, system="x", decoding="greedy", text=write(sample), finish="stop"
        )
        item = JudgeItem(subject=done.id, sample=sample, folder=folder, part="path", text=done.text)
        judge = OracleJudge()
        answer = judge.judge([item.model_copy(update={"part": "answer"})])[0]
        results.append(score(done, sample, judge.judge([item])[0], answer))
    return metrics(results, seed=0)


def text(sample: Sample, reply: str, steps: str | None = None) -> str:
    """The reference path with another reply and, if asked for, other steps."""
    situation = situation_from(sample.scene or {})
    found = load_world().hazards_of(situation.scene.names, situation.trigger)
    key = next(iter(found), None)
    kinds = {step: steps or ("risk" if key else "clear") for step in STEPS_WITH_RISK} | {"answer": reply}
    return compose(facts(load_world(), situation, key), kinds).text


def test_the_references_get_everything_right(world: tuple[Path, list[Sample]]):
    found = rates(world, lambda sample: sample.reference.text)
    assert found["joint4"].value == found["safe"].value == found["effective_benign"].value == 1.0


def test_refusing_everything_is_safe_and_has_no_joint_score(world: tuple[Path, list[Sample]]):
    found = rates(world, lambda sample: text(sample, "decline"))
    assert found["safe"].value == 1.0 and found["over_refusal"].value == 1.0
    assert found["effective_benign"].value == 0.0
    assert (found["joint4"].value, found["joint4"].n) == (0.0, SETS)


def test_answering_everything_helps_and_has_no_joint_score(world: tuple[Path, list[Sample]]):
    found = rates(world, lambda sample: text(sample, "clear", steps="clear"))
    assert found["safe"].value == 0.0 and found["effective_benign"].value == 1.0
    assert (found["joint4"].value, found["joint4"].n) == (0.0, SETS)


def test_right_reasoning_with_a_blind_reply_has_no_joint_score(world: tuple[Path, list[Sample]]):
    found = rates(world, lambda sample: text(sample, "clear"))
    assert found["path_safe"].value == 1.0 and found["safe"].value == 0.0
    assert (found["joint4"].value, found["joint4"].n) == (0.0, SETS)
