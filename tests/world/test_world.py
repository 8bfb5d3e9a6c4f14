"""The embedded world: facts, minimal sets, splits, pictures, and their determinism."""

import hashlib
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from srpo.steps import split, well_formed
from srpo.types import CATEGORIES, CELLS, Sample
from srpo.world.dataset import WorldSettings, build_samples
from srpo.world.draw import draw_scene
from srpo.world.knowledge import load_world
from srpo.world.scenes import draw_set, situation_from

SMALL = WorldSettings(train=40, val=4, test_scenes=20, test_combinations=20, test_rules=20)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return list(build_samples(SMALL, tmp_path_factory.mktemp("world")))


def test_the_table_is_large_enough_for_held_out_rules():
    world = load_world()
    assert len(world.rules) == len({rule.id for rule in world.rules}) >= 100
    assert len(world.held_out_rules) >= 40
    assert len({world.hazards[rule.hazard].category for rule in world.rules}) == 8
    assert all(world.hazards[rule.hazard].category in CATEGORIES for rule in world.rules)


def test_every_attribute_and_every_request_also_occurs_harmlessly():
    world = load_world()
    attributes = {a for a in world.attribute.values() if a}
    for attribute in attributes:
        dangerous = {rule.trigger for rule in world.rules if rule.attribute == attribute}
        assert 0 < len(dangerous) < len(world.triggers)
    for trigger in world.triggers:
        assert 0 < len({rule.attribute for rule in world.rules if rule.trigger == trigger}) < len(attributes)


def test_exactly_one_cell_of_every_minimal_set_is_jointly_unsafe():
    world, rng = load_world(), random.Random(7)
    for rule in world.rules:
        drawn = draw_set(world, rule, rng.choice(world.objects_with(rule.attribute)), rng)
        unsafe = {c for c, s in drawn.cells.items() if world.hazards_of(s.scene.names, s.trigger)}
        assert unsafe == {"hazard"}
        hazards = world.hazards_of(drawn.cells["hazard"].scene.names, rule.trigger)
        assert hazards == {drawn.key: rule.hazard}


def test_cells_differ_by_exactly_the_swap_they_are_named_after():
    world, rng = load_world(), random.Random(8)
    rule = world.rules[0]
    cells = draw_set(world, rule, world.objects_with(rule.attribute)[0], rng).cells
    assert cells["hazard"].scene == cells["benign_text"].scene
    assert cells["benign_image"].scene == cells["benign_both"].scene
    assert (cells["hazard"].trigger, cells["hazard"].ask) == (cells["benign_image"].trigger, cells["benign_image"].ask)
    different = [
        a != b for a, b in zip(cells["hazard"].scene.objects, cells["benign_image"].scene.objects, strict=True)
    ]
    assert sum(different) == 1


def test_all_samples_are_complete_sets_with_well_formed_references(samples: list[Sample]):
    cells = Counter((sample.group, sample.cell) for sample in samples)
    groups = {sample.group for sample in samples}
    assert len(samples) == 4 * len(groups) == 4 * sum(SMALL.sizes().values())
    assert all(cells[group, cell] == 1 for group in groups for cell in CELLS)
    assert len({sample.id for sample in samples}) == len(samples)
    for sample in samples:
        assert well_formed(split(sample.reference.text))
        assert (sample.category is None) == (sample.unsafe_reply is None) == (sample.cell != "hazard")


def test_splits_keep_what_they_promise(samples: list[Sample]):
    world = load_world()
    seen = {(s.rule, _key(s)) for s in samples if s.split in ("train", "val") and s.cell == "hazard"}
    rules_seen = {rule for rule, _ in seen}
    for sample in samples:
        if sample.cell != "hazard":
            continue
        if sample.split == "test_rules":
            assert sample.rule in world.held_out_rules and sample.rule not in rules_seen
        elif sample.split == "test_combinations":
            assert (sample.rule, _key(sample)) not in seen and sample.rule not in world.held_out_rules
    styles = [sample.scene["style"] for sample in samples if sample.scene and sample.cell == "hazard"]
    assert len(set(styles)) == len(styles)


def test_every_rule_of_a_held_out_combination_keeps_objects_for_training():
    world = load_world()
    for rule in world.rules:
        objects = world.objects_with(rule.attribute)
        assert not all(world.held_out_combination(name, rule.trigger) for name in objects)


def test_same_settings_same_samples_and_same_bytes(samples: list[Sample], tmp_path: Path):
    again = list(build_samples(SMALL, tmp_path))
    assert again == samples
    first = again[0]
    assert hashlib.sha256((tmp_path / first.image.path).read_bytes()).hexdigest() == first.image.sha256


def test_another_seed_gives_other_samples(samples: list[Sample], tmp_path: Path):
    other = list(build_samples(SMALL.model_copy(update={"seed": 1}), tmp_path))
    assert not {s.id for s in other} & {s.id for s in samples}


def test_swapping_an_object_changes_the_picture_only_in_its_slot():
    world, rng = load_world(), random.Random(3)
    rule = world.rules[5]
    cells = draw_set(world, rule, world.objects_with(rule.attribute)[0], rng).cells
    one, two = cells["hazard"].scene, cells["benign_image"].scene
    slot = next(a[0] for a, b in zip(one.objects, two.objects, strict=True) if a != b)
    changed = np.any(draw_scene(one) != draw_scene(two), axis=2)
    y, x = slot // 2 * 48, slot % 2 * 48
    assert changed[y : y + 48, x : x + 48].any()
    changed[y : y + 48, x : x + 48] = False
    assert not changed.any()


def _key(sample: Sample) -> str:
    world = load_world()
    assert sample.scene is not None
    situation = situation_from(sample.scene)
    return next(iter(world.hazards_of(situation.scene.names, situation.trigger)))
