"""Agents and judges that say what a test wants, and the requests they were sent, by role."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from srpo.data.agents import Agents, load_prompts
from srpo.data.chain import Crew
from srpo.data.config import BuildConfig
from srpo.data.meter import Ledger
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.prompts import load_prompt
from srpo.prompts.fill import unfill
from srpo.records import file_sha256
from srpo.steps import STEP_NAMES, join
from srpo.types import Draft, DraftSet, Image, Source

AGENTS = ("query", "reasoning", "reflection", "rewrite", "summary", "counterpart", "benign", "describe")
JUDGES = ("text_alone", "image_alone", "answer", "path")
NAMES = (*(f"agent_{name}" for name in AGENTS), *(f"judge_{name}" for name in JUDGES))

STEPS = {name: f"These are words on {name}." for name in STEP_NAMES}
QUERY = {
    "reason": "It is hot.",
    "found": True,
    "hypothesis": "Somebody gets burnt.",
    "category": "dangerous_behavior",
    "question": "May I sit down here?",
    "safe_reply": "Better not, it is hot; take the chair.",
    "unsafe_reply": "Yes, make yourself comfortable.",
}
GOOD_STEP = {"safe": True, "grounded": True, "non_redundant": True, "advances": True, "names_risk": False}
REPLIES: dict[str, Any] = {
    "agent_query": QUERY,
    "agent_reasoning": STEPS,
    "agent_reflection": {"reason": "All is well.", "redundant": [], "incomplete": [], "text_safe": True},
    "agent_rewrite": {"question": QUERY["question"], **{n: f"New words on {n}." for n in STEP_NAMES}},
    "agent_counterpart": {"reason": "r", "question": "May I take a photo here?", "caption": "A wooden bench."},
    "agent_benign": {"reason": "Nothing is dangerous.", "harmless": True, "reply": "Gladly, go ahead."},
    "agent_describe": "A stove in a kitchen.",
    "text_only": "Of course you may.",
    "judge_text_alone": {"reason": "Harmless.", "safety": 9},
    "judge_image_alone": {"reason": "Ordinary.", "safety": 10},
    "judge_path": {
        "reason": "It holds.",
        "steps": [{"name": name, **GOOD_STEP} for name in STEP_NAMES],
        "complete": True,
        "safe": True,
        "effective": True,
        "declined": True,
    },
}
"""Role -> reply; those who write a summary or judge a reply go by the words they are shown."""

Answer = Callable[[Request], Any]


class Script:
    """`replies` replace those above: an object, a text, a list that is read one by one, an exception, or a function."""

    def __init__(self, **replies: Any) -> None:
        self.replies = {**REPLIES, "agent_summary": summary, "judge_answer": judge_answer, **replies}
        self.sent: dict[str, list[Request]] = defaultdict(list)

    def __call__(self, request: Request) -> str:
        role = role_of(request)
        self.sent[role].append(request)
        reply = self.replies[role]
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if callable(reply) and not isinstance(reply, type):
            reply = reply(request)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, str) else json.dumps(reply)


def role_of(request: Request) -> str:
    text = request.messages[0].text
    return next((name for name in NAMES if unfill(load_prompt(name), text) is not None), "text_only")


def values_of(request: Request, role: str) -> dict[str, str | None]:
    found = unfill(load_prompt(role), request.messages[0].text)
    assert found is not None
    return found


def summary(request: Request) -> dict[str, object]:
    return {
        **{name: f"Short words on {name}." for name in STEP_NAMES},
        "reply": values_of(request, "agent_summary")["reply"],
    }


def judge_answer(request: Request) -> dict[str, object]:
    judged = values_of(request, "judge_answer")["judged"]
    safe = judged != QUERY["unsafe_reply"]
    return {"reason": "By its words.", "safe": safe, "effective": safe, "declined": judged == QUERY["safe_reply"]}


def crew_of(folder: Path, script: Script, **settings: Any) -> Crew:
    models = {name: {"model": f"openai:{name}-model"} for name in ("agent", "judge", "other")}
    config = BuildConfig.model_validate({"images": {"folder": "x"}, "models": models, **settings})
    agents = Agents(config, load_prompts(config), folder)
    return Crew(agents, Ledger(folder / "usage.jsonl"), lambda name: ScriptedModel(script, name=f"{name}-model"))


def source_in(folder: Path, shade: int) -> Source:
    """A picture of one shade, on disk."""
    path = folder / "images" / f"{shade}.png"
    path.parent.mkdir(exist_ok=True)
    PILImage.new("RGB", (40, 40), (shade, shade, shade)).save(path)
    image = Image(path=f"images/{shade}.png", sha256=file_sha256(path), width=40, height=40)
    return Source(id=f"{shade:016x}", image=image, original=f"{shade}.png", phash=f"{shade:016x}", licence="CC0-1.0")


def hazard_set(source: Source, name: str = "set-1", reasoned: bool = True) -> DraftSet:
    reply = str(QUERY["safe_reply"])
    draft = Draft(
        cell="hazard",
        source=source.id,
        image=source.image,
        question=str(QUERY["question"]),
        category="dangerous_behavior",
        hypothesis=str(QUERY["hypothesis"]),
        safe_reply=reply,
        unsafe_reply=str(QUERY["unsafe_reply"]),
        reference=join([*STEPS.values(), reply]) if reasoned else None,
    )
    return DraftSet(id=name, cells={"hazard": draft})
