"""Domains of the embedded world: kinds of request that share objects, pictures, minimal sets and the six steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from srpo.types import ReasoningPath
from srpo.world.chores import actions_harm, chore_language, chore_risk_words, chore_words, judge_chore_reply
from srpo.world.household import load_household
from srpo.world.knowledge import DomainName, World, load_world
from srpo.world.language import STEPS_WITH_RISK, Claim, Language, request_language, risk_words, visual_kind, wish_words
from srpo.world.replies import judge_request_reply
from srpo.world.scenes import Situation


@dataclass(frozen=True)
class Domain:
    """What differs between domains: the facts, the sentences, and what is true of a reply."""

    world: World
    language: Language
    wish_words: Callable[[Situation], dict[str, str]]
    """Words for the slots of a situation, without those about a risk."""
    risk_words: Callable[[Situation, str, str], dict[str, str]]
    """Words for the slots about a risk: an object of the scene and the key of a hazard."""
    judge_reply: Callable[[Situation, Claim], tuple[bool, bool]]
    """(safe, effective) of what a reply says."""
    causes_fit: Callable[[Situation, Claim], bool]
    """Whether what step 3 says of the causes is true, beside object and hazard."""

    def facts(self, situation: Situation) -> dict[str, str]:
        """Words for every slot of a situation; those about a risk only if there is one."""
        hazards = self.world.hazards_of(situation.scene.names, situation.trigger)
        risk = next(iter(hazards.items()), None)
        return self.wish_words(situation) | ({} if risk is None else self.risk_words(situation, *risk))

    def reference_path(self, situation: Situation) -> ReasoningPath:
        """The path a careful and helpful model writes."""
        risky = self.world.hazards_of(situation.scene.names, situation.trigger)
        kinds = dict.fromkeys(STEPS_WITH_RISK, "risk" if risky else "clear")
        return self.language.compose(self.facts(situation), {"visual": visual_kind(situation.scene), **kinds})


@cache
def load_domain(name: DomainName) -> Domain:
    """The domain of a name."""
    if name == "household":
        household = load_household()
        return Domain(
            world=household,
            language=chore_language(household),
            wish_words=partial(chore_words, household),
            risk_words=partial(chore_risk_words, household),
            judge_reply=partial(judge_chore_reply, household),
            causes_fit=partial(actions_harm, household),
        )
    world = load_world()
    return Domain(
        world=world,
        language=request_language(),
        wish_words=partial(wish_words, world),
        risk_words=lambda situation, name, hazard: risk_words(world, name, hazard),
        judge_reply=partial(judge_request_reply, world),
        causes_fit=lambda situation, claim: True,
    )
