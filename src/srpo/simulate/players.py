"""Who answers which prompt, and with which error rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srpo.serve.chat import ChatRequest
from srpo.serve.refusal import Refusal
from srpo.simulate import agents, edits
from srpo.simulate.errors import Possible, Reply, agent_reply
from srpo.simulate.judges import judge_reply
from srpo.simulate.pictures import KnownPictures
from srpo.simulate.roles import JUDGES, TEXT_ONLY, Asked, is_probe, understand
from srpo.simulate.settings import AGENT, MODELS, WorldServer

_AGENTS: Final[dict[str, Callable[[Asked], Possible]]] = {
    "agent_query": agents.query,
    "agent_reasoning": agents.reasoning,
    "agent_reflection": edits.reflection,
    "agent_rewrite": edits.rewrite,
    "agent_summary": edits.summary,
    "agent_counterpart": agents.counterpart,
    "agent_benign": agents.benign,
    "agent_describe": agents.describe,
    TEXT_ONLY: agents.text_only,
}

_SEEN: Final = Reply("A grey square, or nothing.")
"""What every model says to a probe."""


def answer(chat: ChatRequest, pictures: KnownPictures, settings: WorldServer, number: int = 0) -> Reply:
    """What the model that is asked says, as choice `number`.  Raises Refusal for what is not of this world."""
    if chat.model not in MODELS:
        reason = f"the model {chat.model[:100]!r} does not exist; this server has {', '.join(MODELS)}"
        raise Refusal(404, reason, "model", "model_not_found")
    if is_probe(chat, pictures):
        return _SEEN
    asked = understand(chat, pictures, settings.seed, number)
    rate = settings.agent_errors if chat.model == AGENT else settings.judge_errors
    if asked.role in JUDGES:
        return Reply(judge_reply(asked, rate))
    return agent_reply(_AGENTS[asked.role](asked), asked.draw, rate, asked.previous)
