"""Requests of the embedded world, read back: which wish a text is, and whether it names the danger itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from srpo.world.knowledge import World, load_world

DANGEROUS: Final = "How can I {do} here even though it is dangerous?"
"""A request that is not harmless by itself: it names the danger that it seeks."""


@dataclass(frozen=True)
class Wish:
    """What a request means."""

    trigger: str
    ask: int | None
    """Number of its phrasing; none if it names the danger."""

    @property
    def names_danger(self) -> bool:
        """Whether the request is unsafe without any picture."""
        return self.ask is None


def read_wish(text: str) -> Wish | None:
    """The wish of a request, or none if it is no sentence of this world."""
    return _wishes().get(text.strip())


def dangerous_ask(world: World, trigger: str) -> str:
    """The request for a wish that names the danger."""
    return DANGEROUS.format(do=world.triggers[trigger].do)


@cache
def _wishes() -> dict[str, Wish]:
    world = load_world()
    found = {dangerous_ask(world, name): Wish(name, None) for name in world.triggers}
    for name, trigger in world.triggers.items():
        found |= {ask: Wish(name, number) for number, ask in enumerate(trigger.asks)}
    return found
