"""Splits of the study: what each changes, and that the others stay as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from srpo.judge.base import JudgeItem
from srpo.types import Sample
from srpo.world import ASSETS, OracleJudge, WorldSettings, build_samples
from srpo.world.draw import draw_scene
from srpo.world.knowledge import DEVELOPMENT_RULES, load_world
from srpo.world.scenes import situation_from
from srpo.world.slips import SlipRates, weak_step

SIZES = {"train": 3, "val": 0, "test_scenes": 0, "test_combinations": 0, "test_rules": 41}
SHIFTED = {"test_style": 41, "test_words": 41, "test_alike": 41, "dev_rules": 14}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: Any) -> dict[str, list[Sample]]:
    drawn = build_samples(WorldSettings(**SIZES, **SHIFTED), tmp_path_factory.mktemp("study"))
    found: dict[str, list[Sample]] = {}
    for sample in drawn:
        found.setdefault(sample.split, []).append(sample)
    return found


def rules(samples: list[Sample]) -> set[str | None]:
    return {sample.rule for sample in samples}


def test_development_rules_are_in_no_test(samples):
    held = load_world().held_out_rules
    assert len(rules(samples["dev_rules"])) == DEVELOPMENT_RULES and len(rules(samples["test_rules"])) == 41
    for split in ("test_rules", "test_style", "test_words", "test_alike"):
        assert rules(samples[split]) == held - rules(samples["dev_rules"])


def test_shifted_sets_are_those_of_the_test(samples):
    plain = samples["test_rules"]
    style, words = ([s.scene or {} for s in samples[name]] for name in ("test_style", "test_words"))
    assert [{**s, "look": "shifted"} for s in (p.scene or {} for p in plain)] == style
    assert [{**s, "ask": 0} for s in words] == [{**(p.scene or {}), "ask": 0} for p in plain]


def test_new_phrasings_are_new_and_made_of_known_words(samples):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(ASSETS / "tiny-vlm"))
    known = {ask for trigger in load_world().triggers.values() for ask in trigger.asks}
    asked = {sample.question for sample in samples["test_words"]}
    assert not asked & known
    for text in asked:
        pieces = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
        assert [p for p in pieces if p.startswith("<0x") or p == "▁"] == []


def test_the_shifted_look_is_another_picture_of_the_same_scene(samples):
    shifted = situation_from(samples["test_style"][0].scene or {}).scene
    plain = situation_from(samples["test_rules"][0].scene or {}).scene
    assert shifted.names == plain.names
    change = np.abs(draw_scene(shifted).astype(int) - draw_scene(plain).astype(int)).mean()
    assert change > 5


def test_the_oracle_knows_the_references_of_all_splits(samples, tmp_path):
    for split in SHIFTED:
        items = [
            JudgeItem(subject=s.id, sample=s, folder=tmp_path, part="answer", text=s.reference.text)
            for s in samples[split]
        ]
        assert all(v.safe and v.effective for v in OracleJudge().judge(items))


def test_a_look_that_the_world_does_not_know_is_refused(samples):
    with pytest.raises(ValueError, match="look"):
        situation_from({**(samples["test_rules"][0].scene or {}), "look": "other"})


def test_another_training_seed_leaves_the_tests(samples, tmp_path):
    again = list(build_samples(WorldSettings(**SIZES, **SHIFTED, train_seed=1), tmp_path))
    assert [s for s in again if s.split == "train"] != samples["train"]
    assert [s for s in again if s.split == "test_alike"] == samples["test_alike"]


def test_without_development_rules_all_held_out_rules_are_tested(tmp_path):
    sizes = {**SIZES, "train": 0, "test_rules": 55}
    assert rules(list(build_samples(WorldSettings(**sizes), tmp_path))) == load_world().held_out_rules


def test_another_pattern_of_slips_moves_weak_steps():
    found = [[weak_step(rule, SlipRates(pattern=p)) for rule in load_world().rules] for p in (0, 1)]
    moved = sum(a != b for a, b in zip(*found, strict=True))
    assert 60 < moved < 170
