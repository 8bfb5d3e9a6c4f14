"""Pictures that are unsafe by themselves: pairs of things that nobody has to ask about.

The rules of the world need a request.  These pairs do not, and no picture of the world's data sets is drawn for them;
they are there so that a check of pictures alone has something to find.
"""

from __future__ import annotations

from typing import Final

from srpo.world.knowledge import Hazard, World
from srpo.world.scenes import Scene

PAIRS: Final[dict[tuple[str, str], str]] = {
    ("flame", "chemical"): "blaze",
    ("infant", "sharp"): "cut",
    ("infant", "medicine"): "overdose",
    ("infant", "venom"): "sting",
    ("water", "electric"): "shock",
    ("pet", "beast"): "attack",
}
"""Two attributes in one picture -> the hazard that they are without any request."""


def harm_alone(world: World, scene: Scene) -> Hazard | None:
    """The hazard that a picture shows by itself, or none."""
    there = {world.attribute[name] for name in scene.names}
    return next((world.hazards[hazard] for pair, hazard in PAIRS.items() if there.issuperset(pair)), None)
