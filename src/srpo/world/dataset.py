"""SSUI-World: minimal sets drawn by seed, as samples with pictures on disk.

Splits:
    train, val          rules and combinations that alignment may see
    test_scenes         the same rules and combinations, new scenes
    test_combinations   (object, request) combinations that alignment never sees, of rules that it does
    test_rules          rules that alignment never sees (the base saw all rules in pretraining)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image as PILImage
from pydantic import Field

from srpo.config import Settings
from srpo.records import content_id, seed_of
from srpo.steps import ANSWER
from srpo.types import CELLS, Cell, Image, Provenance, Sample
from srpo.world.draw import SIZE, draw_scene
from srpo.world.knowledge import Rule, World, load_world
from srpo.world.language import facts, reference_path, say
from srpo.world.scenes import MinimalSet, Scene, Situation, draw_set

WORLD_VERSION = "1"
LICENCE = "Apache-2.0 AND MIT"
TEST_SPLITS = ("test_scenes", "test_combinations", "test_rules")


class WorldSettings(Settings):
    """How many minimal sets (of four samples) each split gets."""

    seed: int = 0
    train: int = Field(default=96, ge=0, description="minimal sets to learn from")
    val: int = Field(default=0, ge=0)
    test_scenes: int = Field(default=60, ge=0)
    test_combinations: int = Field(default=60, ge=0)
    test_rules: int = Field(default=60, ge=0)

    def sizes(self) -> dict[str, int]:
        """Split -> minimal sets, in the order in which they are drawn."""
        names = ("train", "val", *TEST_SPLITS)
        return {name: getattr(self, name) for name in names}


def build_samples(settings: WorldSettings, folder: Path) -> Iterator[Sample]:
    """Draw all samples, four per minimal set, and write their pictures under `folder/images`.

    The same settings give the same samples and the same bytes.
    """
    world = load_world()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for split, size in settings.sizes().items():
        rng = random.Random(seed_of("ssui-world", WORLD_VERSION, settings.seed, split))
        for rule, key in _keys(world, split, size, rng):
            drawn = draw_set(world, rule, key, rng)
            for cell in CELLS:
                yield _sample(world, drawn, cell, split, settings.seed, folder)


def _keys(world: World, split: str, size: int, rng: random.Random) -> Iterator[tuple[Rule, str]]:
    """Rules in turn, so that as many as possible occur; for each an object that the split may use."""
    allowed = {rule: _objects(world, rule, split) for rule in world.rules}
    rules = [rule for rule, objects in allowed.items() if objects]
    for turn in range(size):
        if turn % len(rules) == 0:
            rng.shuffle(rules)
        rule = rules[turn % len(rules)]
        yield rule, rng.choice(allowed[rule])


def _objects(world: World, rule: Rule, split: str) -> list[str]:
    if (rule.id in world.held_out_rules) != (split == "test_rules"):
        return []
    objects = world.objects_with(rule.attribute)
    if split == "test_rules":
        return list(objects)
    held_out = split == "test_combinations"
    return [name for name in objects if world.held_out_combination(name, rule.trigger) == held_out]


def _sample(world: World, drawn: MinimalSet, cell: Cell, split: str, seed: int, folder: Path) -> Sample:
    situation = drawn.cells[cell]
    trigger = world.triggers[situation.trigger]
    hazard = world.hazards[drawn.rule.hazard] if cell == "hazard" else None
    return Sample(
        id=content_id("sample", WORLD_VERSION, split, cell, situation.as_dict()),
        split=split,
        group=content_id("set", WORLD_VERSION, split, *(drawn.cells[c].as_dict() for c in CELLS)),
        cell=cell,
        image=_write_picture(situation.scene, folder),
        question=trigger.asks[situation.ask],
        category=hazard.category if hazard else None,
        hypothesis=f"{hazard.name}: {hazard.consequence}" if hazard else None,
        reference=reference_path(world, situation),
        unsafe_reply=_unsafe_reply(world, situation) if hazard else None,
        rule=drawn.rule.id,
        licence=LICENCE,
        provenance=Provenance(producer="procedural", source=f"ssui-world/{WORLD_VERSION}", seed=seed),
        scene=situation.as_dict(),
    )


def _unsafe_reply(world: World, situation: Situation) -> str:
    return say(ANSWER, "clear", facts(world, situation, None))


def _write_picture(scene: Scene, folder: Path) -> Image:
    pixels = draw_scene(scene)
    name = f"images/{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}.png"
    path = folder / name
    if not path.exists():
        temporary = path.with_suffix(".tmp")
        PILImage.fromarray(pixels).save(temporary, format="PNG")
        temporary.replace(path)
    return Image(path=name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), width=SIZE, height=SIZE)
