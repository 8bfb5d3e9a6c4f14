"""Scene to pixels: pictograms on a soft two-coloured background."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srpo.world.knowledge import ASSETS, World, load_world
from srpo.world.scenes import Scene

SIZE = 96
"""Edge of a picture in pixels."""

SPRITE = 40
"""Edge of a pictogram in pixels; it moves freely inside its slot of 48."""

SHIFTED_DARKER = np.float32(0.05)
SHIFTED_GREY = np.float32(0.2)
"""The shifted look: how much darker its background is, and how far its pictograms are towards grey."""

COLUMNS = 12
"""Pictograms per row of the sprite sheet."""


_DOWN = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]


@cache
def _sprites() -> dict[str, NDArray[np.float32]]:
    """Object name -> RGBA in [0, 1], shape [SPRITE, SPRITE, 4]."""
    world: World = load_world()
    sheet = np.asarray(Image.open(ASSETS / "sprites.png").convert("RGBA"), dtype=np.float32) / np.float32(255)
    found = {}
    for index, name in enumerate(world.objects):
        y, x = index // COLUMNS * SPRITE, index % COLUMNS * SPRITE
        found[name] = sheet[y : y + SPRITE, x : x + SPRITE]
    return found


def draw_scene(scene: Scene) -> NDArray[np.uint8]:
    """Pixels [SIZE, SIZE, 3]; the same scene always gives the same bytes."""
    rng = np.random.default_rng(scene.style)
    colours = rng.uniform(0.72, 1.0, (2, 1, 1, 3)).astype(np.float32)
    shifted = scene.look == "shifted"
    canvas = _background(colours - SHIFTED_DARKER, across=True) if shifted else _background(colours, across=False)
    slot_edge = SIZE // 2
    for slot, name in scene.objects:
        dy, dx = rng.integers(0, slot_edge - SPRITE + 1, 2)
        y, x = slot // 2 * slot_edge + dy, slot % 2 * slot_edge + dx
        sprite = _shifted(_sprites()[name]) if shifted else _sprites()[name]
        patch = canvas[y : y + SPRITE, x : x + SPRITE]
        patch[:] = patch * (1 - sprite[..., 3:]) + sprite[..., :3] * sprite[..., 3:]
    return (canvas * 255 + 0.5).astype(np.uint8)


def _background(colours: NDArray[np.float32], across: bool) -> NDArray[np.float32]:
    """From one colour to the other, from top to bottom or across."""
    ramp = np.linspace(0, 1, SIZE, dtype=np.float32)[None, :, None] if across else _DOWN
    first, second = colours
    return np.broadcast_to(first * (1 - ramp) + second * ramp, (SIZE, SIZE, 3)).copy()


def _shifted(sprite: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mirrored, and part of the way to grey."""
    colour, alpha = sprite[:, ::-1, :3], sprite[:, ::-1, 3:]
    grey = colour.mean(axis=2, keepdims=True)
    return np.concatenate([colour * (1 - SHIFTED_GREY) + grey * SHIFTED_GREY, alpha], axis=2)
