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

COLUMNS = 12
"""Pictograms per row of the sprite sheet."""


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
    top, bottom = rng.uniform(0.72, 1.0, (2, 1, 1, 3)).astype(np.float32)
    ramp = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]
    canvas = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (SIZE, SIZE, 3)).copy()
    slot_edge = SIZE // 2
    for slot, name in scene.objects:
        dy, dx = rng.integers(0, slot_edge - SPRITE + 1, 2)
        y, x = slot // 2 * slot_edge + dy, slot % 2 * slot_edge + dx
        sprite = _sprites()[name]
        patch = canvas[y : y + SPRITE, x : x + SPRITE]
        patch[:] = patch * (1 - sprite[..., 3:]) + sprite[..., :3] * sprite[..., 3:]
    return (canvas * 255 + 0.5).astype(np.uint8)
