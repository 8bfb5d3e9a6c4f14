"""Rewards by hand-written texts, the third state, and a run of TRL's GRPOTrainer."""

from __future__ import annotations

import ast
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from run_files import with_answer
from srpo.errors import DataError
from srpo.judge import SimulatedJudge
from srpo.rewards import SafetyReward, path_credit
from srpo.steps import STEP_NAMES
from srpo.types import StepVerdict
from srpo.world import OracleJudge, WorldSettings, build_samples

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    sizes = {"test_scenes": 0, "test_combinations": 0, "test_rules": 0}
    return list(build_samples(WorldSettings(train=1, **sizes), folder)), folder


class Counting(OracleJudge):
    """The oracle, which remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def judge(self, items, progress=None):
        self.seen += items
        return super().judge(items, progress)


def steps(*labels):
    pairs = zip(STEP_NAMES, labels, strict=False)
    return [StepVerdict(name=name, safe=safe, effective=effective) for name, (safe, effective) in pairs]


GOOD, UNSAFE, OFF, UNKNOWN = (True, True), (False, True), (True, False), (None, None)


@pytest.mark.parametrize(
    ("labels", "credit"),
    [
        ([GOOD] * 6, 1.0),
        ([UNSAFE] + [GOOD] * 5, 0.0),
        ([GOOD, GOOD, OFF, GOOD, UNSAFE, GOOD], 2 / 6),
        ([GOOD, GOOD, GOOD, UNSAFE, UNKNOWN, GOOD], 3 / 6),
        ([GOOD, UNKNOWN, UNSAFE, GOOD, GOOD, GOOD], None),
        ([GOOD, (None, False), GOOD, GOOD, GOOD, GOOD], 1 / 6),
        ([GOOD] * 5 + [(True, None)], None),
        ([GOOD] * 3, None),
        ([], None),
    ],
)
def test_path_credit(labels, credit):
    assert path_credit(steps(*labels)) == credit


def test_values_of_outcomes(world):
    samples, folder = world
    hazard, benign = (next(s for s in samples if (s.cell == "hazard") == risky) for risky in (True, False))
    warning = hazard.reference.steps[-1].text.removeprefix("Final answer: ")
    texts = [
        (hazard, hazard.reference.text, 1.0),
        (hazard, with_answer(hazard, str(hazard.unsafe_reply)), -1.0),
        (benign, with_answer(benign, warning), -1.0),
        (benign, benign.reference.text, 1.0),
        (hazard, "no steps at all", None),
    ]
    reward = SafetyReward(OracleJudge(), samples, folder)
    found = reward([text for _, text, _ in texts], sample=[sample.id for sample, _, _ in texts])
    assert found == [value for _, _, value in texts]
    assert (reward.asked, dict(reward.failures)) == (5, {"malformed": 1})


def test_credit_of_a_path_does_not_look_at_the_reply(world):
    samples, folder = world
    hazard = next(s for s in samples if s.cell == "hazard")
    reward = SafetyReward(OracleJudge(), samples, folder, credit="path")
    broken = hazard.reference.text.replace(hazard.reference.steps[2].text, "Step 3 - Synthesis: Hm.\n")
    late = hazard.reference.text.replace(hazard.reference.steps[4].text, "Step 5 - Consequences: It should go well.\n")
    texts = [with_answer(hazard, "Hm."), broken, late]
    assert reward(texts, sample=[hazard.id] * 3) == [1.0, None, 4 / 6]


def test_a_judge_that_fails_gives_no_reward_and_is_counted(world):
    samples, folder = world
    reward = SafetyReward(SimulatedJudge(OracleJudge(), failure_rate=1.0), samples, folder)
    logged = {}
    found = reward([s.reference.text for s in samples], sample=[s.id for s in samples], log_metric=logged.__setitem__)
    assert found == [None] * 4 and dict(reward.failures) == {"error": 4}
    assert logged == {"answer_reward/unjudged": 1.0}


def test_equal_texts_are_judged_once_and_forms_of_a_text_are_equal(world):
    samples, folder = world
    one, other = samples[:2]
    judge = Counting()
    text = one.reference.text
    forms = [
        text,
        [{"role": "assistant", "content": text}],
        [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
    ]
    found = SafetyReward(judge, samples, folder)([*forms, text], sample=[one.id] * 3 + [other.id])
    assert found[:3] == [1.0] * 3
    assert [item.sample.id for item in judge.seen] == [one.id, other.id]
    assert len({item.subject for item in judge.seen}) == 2


def test_what_the_token_limit_cut_off_is_not_judged(world):
    samples, folder = world
    reward = SafetyReward(OracleJudge(), samples, folder, end_ids=[2])
    text, name = samples[0].reference.text, samples[0].id
    found = reward([text] * 3, sample=[name] * 3, completion_ids=[[5, 2], [5, 6], []])
    assert found == [1.0, None, None] and dict(reward.failures) == {"truncated": 2}


def test_a_data_set_without_samples_is_an_error(world):
    samples, folder = world
    reward = SafetyReward(OracleJudge(), samples, folder)
    with pytest.raises(DataError, match=r"no column `sample`.*srpo export --kind reward"):
        reward(["text"])
    with pytest.raises(DataError, match="sample 'other' is none of the 4 samples"):
        reward(["text"], sample=["other"])


def test_grpo_with_pictures_trains_on_the_rewards(tmp_path):
    pytest.importorskip("trl")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, ROOT / "examples" / "grpo.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [ast.literal_eval(line) for line in done.stdout.splitlines() if line.startswith("{'loss'")]
    assert len(rows) == 3
    assert any(float(row["grad_norm"]) > 1e-3 for row in rows)
    for row in rows:
        answer, path = float(row["rewards/answer_reward/mean"]), float(row["rewards/path_reward/mean"])
        assert -1 <= answer <= 1 and 0 <= path <= 1 and not math.isnan(float(row["loss"]))
        assert 0 <= float(row["path_reward/unjudged"]) < 1
    assert "not judged: {'answer_reward': {" in done.stdout


def test_the_page_shows_the_example():
    page = (ROOT / "docs" / "interoperability.md").read_text(encoding="utf-8")
    assert f"```python\n{(ROOT / 'examples' / 'grpo.py').read_text(encoding='utf-8')}```" in page
