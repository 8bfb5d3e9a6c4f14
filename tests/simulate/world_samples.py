"""Samples of a pool, some of them wrong."""

from __future__ import annotations

from asking import WORLD, Asker, careless_reply, right_reply, right_steps, risky

from srpo.steps import join
from srpo.types import Image, Provenance, Sample


def samples_of(asker: Asker, count: int) -> list[Sample]:
    """Hazard cells; of six in turn, one lacks a step, and one has a request that is harmless."""
    pictures = asker.pictures("hazard")
    return [_sample(asker, pictures[number % len(pictures)].pixels, number) for number in range(count)]


def _sample(asker: Asker, pixels: str, number: int) -> Sample:
    picture = asker.known.pictures[pixels]
    scene, trigger = picture.scene, risky(picture.scene)[0]
    steps, reply = right_steps(scene, trigger), right_reply(scene, trigger)
    if number % 6 == 1:
        steps |= {"strategy": "Let us see."}
    calm = next(t for t in WORLD.triggers if not WORLD.hazards_of(scene.names, t))
    hazard = WORLD.hazards[next(iter(WORLD.hazards_of(scene.names, trigger).values()))]
    return Sample(
        id=f"s{number}",
        split="train",
        group=f"g{number}",
        cell="hazard",
        image=Image(path=f"pictures/{picture.file}", sha256="0" * 64, width=96, height=96),
        question=WORLD.triggers[calm if number % 6 == 4 else trigger].asks[0],
        category=hazard.category,
        hypothesis="An event.",
        reference=join([*steps.values(), reply]),
        unsafe_reply=careless_reply(scene, trigger),
        licence="Apache-2.0",
        provenance=Provenance(producer="model", source="tests"),
    )
