"""A judge that asks a model: one call per text, a strict parse, one chance to repair an unreadable reply."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from srpo.errors import JudgeError
from srpo.judge.base import JudgeItem
from srpo.judge.parse import Labels, UnparsedReply, parse_labels
from srpo.models.base import Message, Model, Progress, Request
from srpo.prompts import load_prompt
from srpo.records import content_id, seed_of
from srpo.steps import ANSWER, STEP_NAMES, answer, body, split
from srpo.types import Completion, Failure, Part, Sampling, Verdict

PLACEHOLDERS: Final = ("question", "hypothesis", "reference", "judged", "fence")
"""What a judge prompt may hold in braces.  A paragraph whose placeholder has no value is left out."""

_REQUIRED: Final = ("question", "judged", "fence")
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: reason first, "
    "labels true or false without quotation marks, nothing after the object."
)


@dataclass(frozen=True)
class _Failed:
    """Why there are no labels."""

    failure: Failure
    reason: str


@dataclass
class _Case:
    """One item on its way to a verdict; `request` is none if there is nothing to ask."""

    item: JudgeItem
    request: Request | None
    reading: Labels | _Failed
    raw: str | None = None
    repaired: bool = False


class ModelJudge:
    """Asks a model to label the answer or the path of each text, and never guesses.

    The model sees the image, the request, the reference reply, the possible unsafe event if the sample names
    one, and only the part that is judged.  A text without that part, or one that was cut off, is not sent.
    An unreadable reply is asked for once more; `reason` then begins with "(repaired)", and `raw` is the last
    reply.  A failed call is a verdict with failure `timeout`, `refused` or `error`, after the kind that the
    completion's error begins with.

    - `show_hypothesis`, `show_reference`: whether the model is told the unsafe event and the reference reply;
    - `prompts`: texts instead of `srpo/prompts/judge_answer.txt` and `judge_path.txt`, see `PLACEHOLDERS`.

    `name` is the model's name and 8 hex digits of the hash of the prompts and of what is shown.
    Raises JudgeError if a prompt holds an unknown placeholder or lacks a required one.
    """

    def __init__(
        self,
        model: Model,
        sampling: Sampling | None = None,
        *,
        show_hypothesis: bool = True,
        show_reference: bool = True,
        prompts: Mapping[Part, str] | None = None,
        seed: int = 0,
    ) -> None:
        own: dict[Part, str] = {"answer": load_prompt("judge_answer"), "path": load_prompt("judge_path")}
        self._prompts = own | dict(prompts or {})
        for part, template in self._prompts.items():
            _check_placeholders(part, template)
        self.model = model
        self._sampling = sampling or Sampling(temperature=0.0, max_new_tokens=1024)
        self._show = {"hypothesis": show_hypothesis, "reference": show_reference}
        self._seed = seed
        self.name = f"{model.name}@{content_id(self._prompts, _REMARK, self._show)[:8]}"

    def judge(self, items: Sequence[JudgeItem], progress: Progress | None = None) -> list[Verdict]:
        """Verdicts in the order of the items; `progress` counts first replies, repairs are not counted again."""
        cases = [self._open(item) for item in items]
        asked = [case for case in cases if case.request is not None]
        if progress is not None and len(asked) < len(cases):
            progress(len(cases) - len(asked))
        self._ask(asked, progress)
        unread = [case for case in asked if isinstance(case.reading, _Failed) and case.reading.failure == "unparsed"]
        for case in unread:
            _prepare_repair(case)
        self._ask(unread, None)
        return [self._verdict(case) for case in cases]

    def _open(self, item: JudgeItem) -> _Case:
        judged = _judged_text(item)
        if isinstance(judged, _Failed):
            return _Case(item, request=None, reading=judged)
        return _Case(item, self._request(item, judged), reading=_Failed("error", "not asked"))

    def _request(self, item: JudgeItem, judged: str) -> Request:
        sample = item.sample
        values = {
            "question": sample.question,
            "hypothesis": sample.hypothesis if self._show["hypothesis"] else None,
            "reference": answer(sample.reference) if self._show["reference"] else None,
            "judged": judged,
        }
        text = _render(self._prompts[item.part], values)
        return Request(
            id=content_id(item.subject, item.node, item.part),
            messages=(Message(role="user", text=text, images=(item.folder / sample.image.path,)),),
            sampling=self._sampling,
            seed=seed_of(self._seed, item.subject, item.node, item.part),
        )

    def _ask(self, cases: Sequence[_Case], progress: Progress | None) -> None:
        requests = [case.request for case in cases if case.request is not None]
        if not requests:
            return
        for case, reply in zip(cases, self.model.generate(requests, progress), strict=True):
            case.raw = reply.text or None
            case.reading = _read(reply, case.item.part)

    def _verdict(self, case: _Case) -> Verdict:
        item, reading = case.item, case.reading
        note = "(repaired) " if case.repaired else ""
        labels = reading if isinstance(reading, Labels) else None
        return Verdict(
            subject=item.subject,
            node=item.node,
            part=item.part,
            judge=self.name,
            safe=labels.safe if labels else None,
            effective=labels.effective if labels else None,
            declined=labels.declined if labels else None,
            steps=labels.steps if labels else (),
            failure=reading.failure if isinstance(reading, _Failed) else None,
            reason=note + reading.reason,
            raw=case.raw,
        )


def _judged_text(item: JudgeItem) -> str | _Failed:
    """Only the part to be judged, or why there is none."""
    if item.truncated:
        return _Failed("truncated", "the text was cut off at the token limit")
    path = split(item.text)
    if item.part == "answer":
        return answer(path) or _Failed("unparsed", "the text has no final answer, or more than one")
    steps = [step for step in path.steps if step.name != ANSWER]
    named = [step for step in steps if step.name is not None]
    if tuple(step.name for step in named) != STEP_NAMES or not all(body(step) for step in named):
        return _Failed("unparsed", "the text does not have the six steps, in order and none empty")
    return "".join(step.text for step in steps).strip()


def _check_placeholders(part: Part, template: str) -> None:
    found = set(_PLACEHOLDER.findall(template))
    unknown, missing = sorted(found - set(PLACEHOLDERS)), [name for name in _REQUIRED if name not in found]
    if unknown or missing:
        raise JudgeError(
            f"judge prompt for the {part}: unknown placeholders {unknown}, missing placeholders {missing}; "
            f"allowed are {', '.join(PLACEHOLDERS)}, and {', '.join(_REQUIRED)} are needed"
        )


def _render(template: str, values: Mapping[str, str | None]) -> str:
    """Fill the declared placeholders in one pass, so that braces inside a value stay what they are."""
    known = {name: value for name, value in values.items() if value is not None}
    absent = {f"{{{name}}}" for name in values.keys() - known.keys()}
    paragraphs = [text for text in template.split("\n\n") if not any(name in text for name in absent)]
    filled = known | {"fence": _fence(list(known.values()))}
    return _PLACEHOLDER.sub(lambda match: filled[match[1]], "\n\n".join(paragraphs))


def _fence(texts: Sequence[str]) -> str:
    """A code that stands in none of the texts and depends on all, so that none of them can close its block."""
    fence = content_id("fence", *texts)
    while any(fence in text for text in texts):
        fence = content_id(fence, *texts)
    return fence


def _read(reply: Completion, part: Part) -> Labels | _Failed:
    if reply.finish == "error":
        reason = reply.error or "the call failed without a reason"
        kinds: dict[str, Failure] = {"timeout": "timeout", "refused": "refused"}
        return _Failed(kinds.get(reason.partition(":")[0], "error"), reason)
    if reply.finish == "length":  # what stands at its end may be a quotation, not the judgement
        return _Failed("unparsed", "the judge's reply was cut off at the token limit")
    try:
        return parse_labels(reply.text, part)
    except UnparsedReply as error:
        return _Failed("unparsed", str(error))


def _prepare_repair(case: _Case) -> None:
    """Turn the case's request into the second and last one."""
    if case.request is None:
        return
    turns = (
        Message(role="assistant", text=case.raw or "(no text)"),
        Message(role="user", text=_REMARK),
    )
    case.request = case.request.model_copy(
        update={
            "id": content_id(case.request.id, "repair"),
            "messages": (*case.request.messages, *turns),
            "seed": seed_of(case.request.seed, "repair"),
        }
    )
    case.repaired = True
