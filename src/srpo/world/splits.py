"""Which rules and objects a split may draw from.

    train, val          rules and combinations that alignment may see
    test_scenes         the same rules and combinations, new scenes
    test_combinations   (object, request) combinations that alignment never sees, of rules that it does
    test_rules          rules that alignment never sees

The tiny base model saw all rules in pretraining.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from srpo.world.knowledge import Rule, World


def keys_of(world: World, split: str) -> dict[Rule, tuple[str, ...]]:
    """Rule -> objects with its attribute that the split may use; rules without one are left out."""
    allowed = {rule: _objects(world, rule, split) for rule in world.rules}
    return {rule: objects for rule, objects in allowed.items() if objects}


def draw_keys(allowed: Mapping[Rule, Sequence[str]], rng: random.Random) -> Iterator[tuple[Rule, str]]:
    """Without end: rules in turn, so that as many as possible occur, and for each one of its objects."""
    rules = list(allowed)
    while True:
        rng.shuffle(rules)
        for rule in rules:
            yield rule, rng.choice(allowed[rule])


def _objects(world: World, rule: Rule, split: str) -> tuple[str, ...]:
    if (rule.id in world.held_out_rules) != (split == "test_rules"):
        return ()
    objects = world.objects_with(rule.attribute)
    if split == "test_rules":
        return objects
    held_out = split == "test_combinations"
    return tuple(name for name in objects if world.held_out_combination(name, rule.trigger) == held_out)
