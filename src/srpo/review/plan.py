"""Who reviews what: a seeded draw that gives every set to so many reviewers, with loads as even as can be."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Final

from pydantic import Field, ValidationError, field_validator, model_validator

from srpo.errors import ConfigError
from srpo.records import seed_of
from srpo.types import Record

MAX_NAME: Final = 80
"""Characters of a reviewer's name."""


class Plan(Record):
    """How the work is shared."""

    reviewers: tuple[str, ...] = Field(default=(), description="names; none = whoever comes, and nothing is assigned")
    per_item: int = Field(default=1, ge=1, description="reviewers of one item; from 2 on they label blind")
    seed: int = Field(default=0, ge=0, description="of the order of sets and of who gets which")

    @property
    def blind(self) -> bool:
        """Others' votes and the machines' checks are hidden until one's own vote is saved."""
        return self.per_item > 1

    @field_validator("reviewers")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        cleaned = tuple(clean_name(name) for name in names)
        if len(set(cleaned)) < len(cleaned):
            raise ValueError("a name stands there twice")
        return cleaned

    @model_validator(mode="after")
    def _enough(self) -> Plan:
        if self.reviewers and len(self.reviewers) < self.per_item:
            raise ValueError(f"{self.per_item} reviewers per item, but there are {len(self.reviewers)}")
        return self


def clean_name(name: str) -> str:
    """A reviewer's name without outer space.  Raises ValueError if it is empty, too long or cannot be shown."""
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME:
        raise ValueError(f"a reviewer's name has 1 to {MAX_NAME} characters, got {len(name)}")
    if not name.isprintable() or "\ufffd" in name:  # what stands for bytes that are no text
        raise ValueError("a reviewer's name holds characters that cannot be shown; type it anew")
    return name


def load_plan(reviewers: str | None, per_item: int | None, seed: int | None, kept: Plan) -> Plan:
    """A plan from words of the command line; what is not given stays as it was kept.

    Names are separated by commas; no name at all means whoever comes.  Raises ConfigError if the parts do not fit.
    """
    given: dict[str, object] = {"per_item": per_item, "seed": seed}
    if reviewers is not None:
        given["reviewers"] = tuple(name for name in reviewers.split(",") if name.strip())
    try:
        return Plan.model_validate(kept.model_dump() | {name: one for name, one in given.items() if one is not None})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--reviewers, --per-item: {reason}") from None


def assign(groups: Collection[str], plan: Plan, given: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Set -> its further reviewers, for sets of which fewer than `per_item` of the plan's are in `given`.

    Those in `given` count towards the loads.  Sets go in a drawn order to the reviewers with the fewest so far; the
    seed breaks ties.
    """
    loads = dict.fromkeys(plan.reviewers, 0)
    for names in given.values():
        for name in names:
            if name in loads:
                loads[name] += 1
    drawn = random.Random(seed_of(plan.seed, "assign", len(given)))
    found = {}
    for group in shuffled(groups, plan.seed):
        others = [name for name in plan.reviewers if name not in given.get(group, ())]
        missing = plan.per_item - (len(plan.reviewers) - len(others))
        if missing > 0:
            order = sorted(others, key=lambda name: (loads[name], drawn.random()))
            found[group] = tuple(order[:missing])
            for name in found[group]:
                loads[name] += 1
    return found


def shuffled(groups: Collection[str], seed: int) -> list[str]:
    """Sets in a drawn order; a new set does not change the order of those that were there."""
    return sorted(groups, key=lambda group: (seed_of(seed, "order", group), group))
