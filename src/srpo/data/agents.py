"""What each agent is asked: a question from a draft.  Seeds come from the ids, so neither order nor threads matter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from srpo.data import parse
from srpo.data.config import BuildConfig, ModelSettings, PromptName
from srpo.errors import ConfigError
from srpo.judge.ask import Question
from srpo.judge.show import Shown
from srpo.models.base import Message, Request
from srpo.prompts import load_prompt
from srpo.prompts.fill import fill, placeholders
from srpo.records import content_id, seed_of
from srpo.steps import STEP_NAMES, body
from srpo.types import CATEGORIES, Draft, Image, Made, Sampling, Source

T = TypeVar("T")

AgentRole = Literal[
    "query", "reasoning", "reflection", "rewrite", "text_only", "image_only", "summary", "counterpart", "benign"
]

PLAYERS: Final[dict[AgentRole, str]] = {
    "query": "query",
    "reasoning": "reasoning",
    "reflection": "reflection",
    "rewrite": "reflection",
    "text_only": "text_only",
    "image_only": "image_only",
    "summary": "summary",
    "counterpart": "counterpart",
    "benign": "counterpart",
}
"""Agent -> the setting of `roles` that names its model."""

PROMPTS: Final[dict[AgentRole, PromptName]] = {
    "query": "agent_query",
    "reasoning": "agent_reasoning",
    "reflection": "agent_reflection",
    "rewrite": "agent_rewrite",
    "image_only": "agent_describe",
    "summary": "agent_summary",
    "counterpart": "agent_counterpart",
    "benign": "agent_benign",
}
"""Agent -> its prompt file.  The one that lacks the picture sees the request and nothing else."""

_TEXTS: Final[dict[PromptName, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "agent_query": (("fence", "categories"), ("known",)),
    "agent_reasoning": (("fence", "question", "reply"), ("hypothesis",)),
    "agent_reflection": (("fence", "question", "steps", "reply"), ()),
    "agent_rewrite": (("fence", "question", "steps", "reply", "remarks"), ("hypothesis",)),
    "agent_summary": (("fence", "question", "steps", "reply"), ()),
    "agent_counterpart": (("fence", "question", "hypothesis"), ()),
    "agent_benign": (("fence", "question"), ()),
    "agent_describe": ((), ()),
    "judge_text_alone": (("fence", "question", "answer"), ()),
    "judge_image_alone": (("fence", "answer"), ()),
    "judge_answer": (("fence", "question", "judged"), ("hypothesis", "reference", "steps")),
    "judge_path": (("fence", "question", "judged"), ("hypothesis", "reference", "steps")),
}
"""Prompt -> placeholders that it must hold, and that it may hold."""

REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: every key once and "
    "no other, plain text without markup, braces or step numbers, and nothing after the object."
)
"""What an agent is told once if its reply could not be read."""


def load_prompts(config: BuildConfig) -> dict[PromptName, str]:
    """The text of every prompt, the user's own where there is one.

    Raises ConfigError if a file cannot be read, or holds an unknown placeholder or lacks one.
    """
    texts: dict[PromptName, str] = {}
    for name, (needed, allowed) in _TEXTS.items():
        own = config.prompts.get(name)
        texts[name] = load_prompt(name) if own is None else _read(name, Path(own).expanduser())
        found = placeholders(texts[name])
        unknown, missing = sorted(found - {*needed, *allowed}), [word for word in needed if word not in found]
        if unknown or missing:
            problem = f"unknown placeholders {unknown}, missing placeholders {missing}"
            words = ", ".join(f"{{{word}}}" for word in (*needed, *allowed)) or "none at all"
            raise ConfigError(f"prompts.{name}, {own or 'shipped'}: {problem}; it may hold {words}")
    return texts


def _read(name: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"prompts.{name}: cannot read {path} ({error}); give a text file in UTF-8") from None
    if not text.strip():
        raise ConfigError(f"prompts.{name}: {path} is empty; write a prompt, or leave the setting out")
    return text


@dataclass(frozen=True)
class Agents:
    """Makes the questions to all agents of one dataset."""

    config: BuildConfig
    prompts: Mapping[PromptName, str]
    folder: Path
    """Of the dataset; pictures start from it."""

    def player(self, role: AgentRole) -> str:
        """The name in `models` of who plays an agent."""
        name: str = getattr(self.config.roles, PLAYERS[role])
        return name

    def query(self, source: Source, set_id: str, known: Sequence[str]) -> Question[parse.Query]:
        """`known` are the requests that were proposed for the picture before."""
        values = {"categories": ", ".join(CATEGORIES), "known": "\n".join(known) or None}
        return self._ask("query", (set_id,), values, source.image, parse.read(parse.Query))

    def reasoning(self, set_id: str, draft: Draft) -> Question[parse.Steps]:
        """In benign cells without an event."""
        values = {"question": draft.question, "hypothesis": draft.hypothesis, "reply": draft.safe_reply}
        return self._ask("reasoning", (set_id, draft.cell), values, draft.image, parse.read(parse.Steps))

    def reflection(self, set_id: str, draft: Draft) -> Question[parse.Reflection]:
        """Of the steps as they are now."""
        key = (set_id, draft.cell, len(draft.versions))
        return self._ask("reflection", key, _path(draft), draft.image, parse.read(parse.Reflection))

    def rewrite(self, set_id: str, draft: Draft, remarks: str) -> Question[parse.Rewrite]:
        """`remarks` say what is wrong."""
        values = {**_path(draft), "hypothesis": draft.hypothesis, "remarks": remarks}
        key = (set_id, draft.cell, len(draft.versions))
        return self._ask("rewrite", key, values, draft.image, parse.read(parse.Rewrite))

    def summary(self, set_id: str, draft: Draft) -> Question[parse.Summary]:
        return self._ask("summary", (set_id, draft.cell), _path(draft), draft.image, parse.read(parse.Summary))

    def text_only(self, set_id: str, draft: Draft) -> Question[str]:
        """The request alone, without the picture and without any other word."""
        return self._free("text_only", (set_id, draft.cell), Message(role="user", text=draft.question))

    def image_only(self, set_id: str, draft: Draft) -> Question[str]:
        """The picture with a question that anybody could ask."""
        text, pictures = self.prompts["agent_describe"], (self.folder / draft.image.path,)
        return self._free("image_only", (set_id, draft.cell), Message(role="user", text=text, images=pictures))

    def counterpart(self, set_id: str, draft: Draft) -> Question[parse.Counterpart]:
        values = {"question": draft.question, "hypothesis": draft.hypothesis or ""}
        reader = parse.read_counterpart(draft.question)
        return self._ask("counterpart", (set_id,), values, draft.image, reader)

    def benign(self, set_id: str, draft: Draft, number: int) -> Question[parse.Benign]:
        """`number` counts the pictures that were tried before."""
        key = (set_id, draft.cell, number)
        return self._ask("benign", key, {"question": draft.question}, draft.image, parse.read(parse.Benign))

    def made(self, role: AgentRole, question: Question[Any], image: Image) -> Made:
        """The call that the question was, after it was asked about `image`."""
        request, prompt = question.request, self.prompts[PROMPTS[role]] if role in PROMPTS else ""
        turns = [(m.role, m.text, [image.sha256] * len(m.images)) for m in request.messages]
        sampling = request.sampling.model_dump(mode="json")
        return Made(
            role=role,
            model=self._settings(role).model,
            prompt_sha256=hashlib.sha256(prompt.encode()).hexdigest(),
            request_sha256=hashlib.sha256(json.dumps([turns, sampling, request.seed]).encode()).hexdigest(),
            seed=request.seed,
            temperature=request.sampling.temperature,
            repaired=question.repaired,
        )

    def _settings(self, role: AgentRole) -> ModelSettings:
        return self.config.models[self.player(role)]

    def _ask(
        self,
        role: AgentRole,
        key: Sequence[object],
        values: Mapping[str, str | None],
        image: Image,
        reader: Callable[[str], T],
    ) -> Question[T]:
        text = fill(self.prompts[PROMPTS[role]], values)
        message = Message(role="user", text=text, images=(self.folder / image.path,))
        return Question(self._request(role, key, message), reader, remark=REMARK)

    def _free(self, role: AgentRole, key: Sequence[object], message: Message) -> Question[str]:
        # A reply without a form is read as it is, and nothing in it is a copy of a verdict.
        return Question(self._request(role, key, message), parse.read_free, strict=False)

    def _request(self, role: AgentRole, key: Sequence[object], message: Message) -> Request:
        settings = self._settings(role)
        return Request(
            id=content_id(role, *key),
            messages=(message,),
            sampling=Sampling(temperature=settings.temperature, max_new_tokens=settings.max_new_tokens),
            seed=seed_of(self.config.seed, role, *key),
        )


def _path(draft: Draft) -> dict[str, str | None]:
    """The steps, each after a line with its name and a code, and the reply."""
    steps = [step for step in (draft.reference.steps if draft.reference else ()) if step.name in STEP_NAMES]
    shown = Shown(steps=tuple((str(step.name), body(step)) for step in steps))
    return {"question": draft.question, "steps": shown.text(), "reply": draft.safe_reply}
