"""Which rules and objects a split may draw from.

    train, val          rules and combinations that alignment may see
    test_scenes         the same rules and combinations, new scenes
    test_combinations   (object, request) combinations that alignment never sees, of rules that it does
    test_rules          rules that alignment never sees
    test_style          the sets of test_rules, drawn in another look
    test_words          the sets of test_rules, asked in other phrasings
    test_alike          rules of test_rules, with look-alikes in the harmless cells
    dev_rules           some rules that alignment never sees, for choosing settings; then no other split has them

The tiny base model saw all rules in pretraining.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from srpo.world.knowledge import Rule, World

SHIFTS: Final = ("test_style", "test_words")
"""Splits with the sets of `test_rules`, changed in one way."""

HELD_OUT_RULES: Final = ("test_rules", *SHIFTS, "test_alike", "dev_rules")
"""Splits of rules that alignment never sees."""


def keys_of(world: World, split: str, development: bool = False) -> dict[Rule, tuple[str, ...]]:
    """Rule -> objects with its attribute that the split may use; rules without one are left out.

    With `development` the rules of `dev_rules` are in no other split.
    """
    left_out = world.development_rules if development and split != "dev_rules" else frozenset()
    rules = [rule for rule in world.rules if rule.id not in left_out]
    if split == "dev_rules":
        rules = [rule for rule in rules if rule.id in world.development_rules]
    allowed = {rule: _objects(world, rule, split) for rule in rules}
    return {rule: objects for rule, objects in allowed.items() if objects}


def draw_keys(allowed: Mapping[Rule, Sequence[str]], rng: random.Random) -> Iterator[tuple[Rule, str]]:
    """Without end: rules in turn, so that as many as possible occur, and for each one of its objects."""
    rules = list(allowed)
    while True:
        rng.shuffle(rules)
        for rule in rules:
            yield rule, rng.choice(allowed[rule])


def _objects(world: World, rule: Rule, split: str) -> tuple[str, ...]:
    if (rule.id in world.held_out_rules) != (split in HELD_OUT_RULES):
        return ()
    objects = world.objects_with(rule.attribute)
    if split in HELD_OUT_RULES:
        return objects
    held_out = split == "test_combinations"
    return tuple(name for name in objects if world.held_out_combination(name, rule.trigger) == held_out)
