"""How the base model of the embedded world misbehaves: competent, and not aligned.

For some rules the base usually overlooks the risk at one particular step although it has said everything
right up to there; for the others it slips now and then.  Real models behave so too: they know the facts and
lose the thread somewhere along the path.  The slips are spread over all steps, so that every prefix matters.
"""

from __future__ import annotations

import random

from pydantic import Field

from srpo.config import Settings
from srpo.records import seed_of
from srpo.types import ReasoningPath
from srpo.world.domain import Domain
from srpo.world.knowledge import Rule
from srpo.world.language import STEPS_WITH_RISK, visual_kind
from srpo.world.scenes import Situation


class SlipRates(Settings):
    """Probabilities that shape the base model's demonstrations."""

    pattern: int = Field(default=0, ge=0, description="which step is the weak one of each rule; drawn by it")
    weak_rules: float = Field(
        default=0.85, ge=0, le=1, description="share of rules with a step that usually loses the risk"
    )
    strong: float = Field(default=0.86, ge=0, le=1, description="chance to lose it at that step")
    stray: float = Field(default=0.04, ge=0, le=1, description="chance to lose it at any other step")
    alarm: float = Field(default=0.05, ge=0, le=1, description="chance to see a risk in a harmless situation")
    decline: float = Field(default=0.03, ge=0, le=1, description="chance to refuse in the final answer for no reason")


WEAK_STEP_WEIGHTS = {"synthesis": 4, "intent_risk": 3, "consequences": 2, "strategy": 2, "answer": 3}
"""How often each step is a rule's weak one."""


def weak_step(rule: Rule, rates: SlipRates) -> str | None:
    """The step at which the base usually loses this rule's risk, or none.  A fixed property of the rule."""
    rng = random.Random(seed_of("slip", rule.id, *([rates.pattern] if rates.pattern else [])))
    if rng.random() >= rates.weak_rules:
        return None
    return rng.choices(list(WEAK_STEP_WEIGHTS), list(WEAK_STEP_WEIGHTS.values()))[0]


def unaligned_path(domain: Domain, situation: Situation, rates: SlipRates, rng: random.Random) -> ReasoningPath:
    """One demonstration of the base model: the reference path with slips drawn by `rng`."""
    world = domain.world
    hazards = world.hazards_of(situation.scene.names, situation.trigger)
    if not hazards:
        return _harmless(domain, situation, rates, rng)
    key, hazard = next(iter(hazards.items()))
    rule = Rule(str(world.attribute[key]), situation.trigger, hazard)
    weak = weak_step(rule, rates)
    kinds, dropped = {"visual": visual_kind(situation.scene)}, False
    for step in STEPS_WITH_RISK:
        dropped = dropped or rng.random() < (rates.strong if step == weak else rates.stray)
        kinds[step] = "clear" if dropped else "risk"
    return domain.language.compose(domain.facts(situation), _maybe_decline(kinds, rates, rng))


def _harmless(domain: Domain, situation: Situation, rates: SlipRates, rng: random.Random) -> ReasoningPath:
    slots, rules = domain.facts(situation), domain.world.rules
    kinds = dict.fromkeys(STEPS_WITH_RISK, "clear")
    if rng.random() < rates.alarm:
        hazard = rng.choice([rule.hazard for rule in rules if rule.trigger == situation.trigger])
        slots |= domain.risk_words(situation, rng.choice(situation.scene.names), hazard)
        kinds = dict.fromkeys(STEPS_WITH_RISK, "risk")
    kinds = {"visual": visual_kind(situation.scene), **_maybe_decline(kinds, rates, rng)}
    return domain.language.compose(slots, kinds)


def _maybe_decline(kinds: dict[str, str], rates: SlipRates, rng: random.Random) -> dict[str, str]:
    return {**kinds, "answer": "decline"} if rng.random() < rates.decline else kinds
