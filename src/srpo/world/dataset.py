"""SSUI-World: minimal sets drawn by seed, as samples with pictures on disk, or told in words without any.

The splits of training and testing stand in `srpo.world.splits`; `rsbench` is the benchmark edition, with levels of
difficulty (`srpo.world.edition`).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, Self

from PIL import Image as PILImage
from pydantic import Field, model_validator

from srpo.config import Settings
from srpo.records import content_id, seed_of
from srpo.steps import ANSWER
from srpo.types import CELLS, Cell, Image, Provenance, Sample
from srpo.world.domain import Domain, load_domain
from srpo.world.draw import SIZE, draw_scene
from srpo.world.edition import EDITION, EDITION_VERSION, draw_edition, draw_hard_set
from srpo.world.knowledge import DomainName, World
from srpo.world.language import question_of
from srpo.world.scenes import MinimalSet, Scene, Situation, draw_set, shift_set, tell_set
from srpo.world.splits import SHIFTS, draw_keys, keys_of

WORLD_VERSION = "1"
LICENCE = "Apache-2.0 AND MIT"
TEST_SPLITS = ("test_scenes", "test_combinations", "test_rules")
STUDY_SPLITS = ("test_style", "test_words", "test_alike", "dev_rules")
"""Further splits of held-out rules, empty unless asked for."""

ALIKE_OBJECTS = 3
"""In a picture of `test_alike`."""


Context = Literal["picture", "words"]
"""How a scene reaches the model."""


class WorldSettings(Settings):
    """How many minimal sets (of four samples) each split gets."""

    domain: DomainName = Field(
        default="requests", description="single wishes, or household chores with plans of several actions"
    )
    seed: int = 0
    train: int = Field(default=96, ge=0, description="minimal sets to learn from")
    val: int = Field(default=0, ge=0)
    test_scenes: int = Field(default=60, ge=0)
    test_combinations: int = Field(default=60, ge=0)
    test_rules: int = Field(default=60, ge=0)
    rsbench: int = Field(default=0, ge=0, description="of the benchmark edition, a fifth of them at each level")
    test_style: int = Field(default=0, ge=0, description="sets of `test_rules` in a look that no training has shown")
    test_words: int = Field(default=0, ge=0, description="sets of `test_rules` in phrasings that no training has shown")
    test_alike: int = Field(default=0, ge=0, description="held-out rules, with look-alikes in the harmless cells")
    dev_rules: int = Field(
        default=0, ge=0, description="held-out rules for choosing settings; above 0 they leave the test splits"
    )
    train_seed: int | None = Field(
        default=None, description="another seed for `train` and `val`, so that the tests stay; none = `seed`"
    )
    context: Context = Field(
        default="picture", description="what the request is about: a picture, or a sentence of words before the request"
    )

    @model_validator(mode="after")
    def _words_have_no_look(self) -> Self:
        if self.context == "words" and self.test_style:
            raise ValueError("test_style shows pictures in another look, and context=words has none; set test_style=0")
        return self

    @model_validator(mode="after")
    def _the_edition_is_of_requests(self) -> Self:
        others = [name for name in (EDITION, "test_alike") if getattr(self, name)]
        if self.domain != "requests" and others:
            raise ValueError(f"{others[0]}: only the domain of requests has look-alikes; set it to 0")
        return self

    def sizes(self) -> dict[str, int]:
        """Split -> minimal sets, in the order in which they are drawn."""
        names = ("train", "val", *TEST_SPLITS, EDITION, *STUDY_SPLITS)
        return {name: getattr(self, name) for name in names}

    def seed_of_split(self, split: str) -> int:
        """What a split is drawn by."""
        return self.seed if self.train_seed is None or split not in ("train", "val") else self.train_seed


def build_samples(settings: WorldSettings, folder: Path) -> Iterator[Sample]:
    """Draw all samples, four per minimal set, and write their pictures, if they have any, under `folder/images`.

    The same settings give the same samples and the same bytes.
    """
    domain = load_domain(settings.domain)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for split, size in settings.sizes().items():
        for level, drawn in islice(_draw_split(domain.world, split, settings), size):
            drawn = tell_set(drawn) if settings.context == "words" else drawn
            for cell in CELLS:
                sample = _sample(domain, drawn, cell, split, settings.seed_of_split(split), folder)
                yield sample if level is None else _of_edition(domain, sample, drawn.cells[cell], level)


def _draw_split(world: World, split: str, settings: WorldSettings) -> Iterator[tuple[int | None, MinimalSet]]:
    """Levels and minimal sets without end; only the edition has levels."""
    seed = settings.seed_of_split(split)
    if split == EDITION:
        yield from draw_edition(world, seed)
        return
    rng = random.Random(seed_of("ssui-world", WORLD_VERSION, seed, "test_rules" if split in SHIFTS else split))
    asks = random.Random(seed_of("ssui-world", WORLD_VERSION, seed, "asks"))
    for rule, key in draw_keys(keys_of(world, split, development=settings.dev_rules > 0), rng):
        if split == "test_alike":
            yield None, draw_hard_set(world, rule, [key], ALIKE_OBJECTS, rng)
        else:
            drawn = draw_set(world, rule, key, rng)
            yield None, shift_set(world, drawn, split, asks) if split in SHIFTS else drawn


def _sample(domain: Domain, drawn: MinimalSet, cell: Cell, split: str, seed: int, folder: Path) -> Sample:
    world, situation = domain.world, drawn.cells[cell]
    hazard = world.hazards[drawn.rule.hazard] if cell == "hazard" else None
    return Sample(
        id=content_id("sample", WORLD_VERSION, split, cell, situation.as_dict()),
        split=split,
        group=content_id("set", WORLD_VERSION, split, *(drawn.cells[c].as_dict() for c in CELLS)),
        cell=cell,
        image=None if situation.scene.look == "told" else _write_picture(situation.scene, folder),
        question=question_of(world, situation),
        category=hazard.category if hazard else None,
        hypothesis=f"{hazard.name}: {hazard.consequence}" if hazard else None,
        reference=domain.reference_path(situation),
        unsafe_reply=_unsafe_reply(domain, situation) if hazard else None,
        rule=drawn.rule.id,
        licence=LICENCE,
        provenance=Provenance(producer="procedural", source=f"ssui-world/{WORLD_VERSION}", seed=seed),
        scene=situation.as_dict(),
    )


def _of_edition(domain: Domain, sample: Sample, situation: Situation, level: int) -> Sample:
    """With what a benchmark needs beside the sample: its level, and words for the probes."""
    asks = range(len(domain.world.triggers[situation.trigger].asks))
    others = [replace(situation, ask=ask) for ask in asks if ask != situation.ask]
    drawn = sample.image is not None
    source = {"source": f"rsbench-world/{EDITION_VERSION}"}
    return sample.model_copy(
        update={
            "level": level,
            "caption": domain.language.say("visual", "scene", domain.facts(situation)) if drawn else None,
            "paraphrases": tuple(question_of(domain.world, other) for other in others),
            "provenance": sample.provenance.model_copy(update=source),
        }
    )


def _unsafe_reply(domain: Domain, situation: Situation) -> str:
    return domain.language.say(ANSWER, "clear", domain.facts(situation))


def _write_picture(scene: Scene, folder: Path) -> Image:
    pixels = draw_scene(scene)
    name = f"images/{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}.png"
    path = folder / name
    if not path.exists():
        temporary = path.with_suffix(".tmp")
        PILImage.fromarray(pixels).save(temporary, format="PNG")
        temporary.replace(path)
    return Image(path=name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), width=SIZE, height=SIZE)
