"""A judge that asks a model: questions from items, and verdicts from replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from srpo.errors import JudgeError
from srpo.judge.ask import REMARK, Question, Unlabelled, ask
from srpo.judge.base import JudgeItem
from srpo.judge.parse import Labels, StepLabels, parse_labels, parse_step
from srpo.judge.show import Shown, show
from srpo.logic import all3
from srpo.models.base import Message, Model, Progress, Request
from srpo.prompts import load_prompt
from srpo.prompts.fill import fill, placeholders
from srpo.records import content_id, seed_of
from srpo.steps import STEP_NAMES, answer
from srpo.types import Failure, Sampling, StepVerdict, Verdict

PLACEHOLDERS: Final = ("question", "hypothesis", "reference", "steps", "judged", "fence")
"""What a judge prompt may hold in braces.  A paragraph whose placeholder has no value is left out."""

PROMPTS: Final = {"answer": "judge_answer", "path": "judge_path", "step": "judge_step"}
"""What is judged -> its file in `srpo/prompts`."""

_REQUIRED: Final = ("question", "judged", "fence")
_NO_PICTURE: Final = "There is no image: the request itself tells the situation that an image would show."
"""Before the prompt of the judge, where a sample has no picture."""

_TOKENS_PER_STEP: Final = 64
"""Room for the labels of each step beyond six."""


@dataclass
class _Case:
    """One item on its way to a verdict: a question on the whole part, and perhaps one on each step."""

    item: JudgeItem
    whole: Question[Labels] | Unlabelled
    """Unlabelled where there is nothing to ask."""
    steps: tuple[tuple[str, Question[StepLabels]], ...] = ()

    @property
    def reading(self) -> Labels | Unlabelled:
        return self.whole.reading if isinstance(self.whole, Question) else self.whole


class ModelJudge:
    """Asks a model to label the answer or the path of each text, and never guesses.

    The model sees the image, the request, the reference reply, the possible unsafe event if the sample names
    one, and only the part that is judged.  A text without that part, or one that was cut off, is not sent.
    A reply that copies a verdict from the text is not read.  An unreadable reply is asked for once more; `reason`
    then begins with "(repaired)", and `raw` is the last reply.  A failed call is a verdict with failure `timeout`,
    `refused` or `error`, after the kind that the completion's error begins with.

    - `show_hypothesis`, `show_reference`: whether the model is told the unsafe event and the reference reply.  Only
      hazard cells have an event, so its presence tells the cell: hide it where the verdicts are scores;
    - `step_by_step`: one more call per step, which sees the steps up to it and no later ones; the labels of the steps
      come from these, and the path is safe if they all are.  Otherwise one call labels path and steps;
    - `prompts`: texts instead of those of `PROMPTS`; see `PLACEHOLDERS`.

    `name` is the model's name and 8 hex digits of the hash of the prompts, of what is shown and how it is asked.
    Raises JudgeError if a prompt holds an unknown placeholder or lacks a required one.
    """

    def __init__(  # noqa: PLR0913 - one parameter per way of asking
        self,
        model: Model,
        sampling: Sampling | None = None,
        *,
        show_hypothesis: bool = True,
        show_reference: bool = True,
        step_by_step: bool = False,
        prompts: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        self._prompts = {what: load_prompt(file) for what, file in PROMPTS.items()} | dict(prompts or {})
        for what, template in self._prompts.items():
            _check_placeholders(what, template)
        self.model = model
        self._sampling = sampling or Sampling(temperature=0.0, max_new_tokens=1024)
        self._show = {"hypothesis": show_hypothesis, "reference": show_reference}
        self._step_by_step = step_by_step
        self._seed = seed
        self.name = f"{model.name}@{content_id(self._prompts, REMARK, self._show, step_by_step)[:8]}"

    def judge(self, items: Sequence[JudgeItem], progress: Progress | None = None) -> list[Verdict]:
        """Verdicts in the order of the items; `progress` counts items whose part was asked about, or had none."""
        cases = [self._open(item) for item in items]
        asked = [case.whole for case in cases if isinstance(case.whole, Question)]
        if progress is not None and len(asked) < len(cases):
            progress(len(cases) - len(asked))
        ask(self.model, [question for case in cases for _, question in case.steps])
        ask(self.model, asked, progress)
        return [self._verdict(case) for case in cases]

    def _open(self, item: JudgeItem) -> _Case:
        shown = show(item)
        if isinstance(shown, Unlabelled):
            return _Case(item, shown)
        request = self._request(item, shown)
        whole = Question(request, lambda reply: parse_labels(reply, item.part, shown.names))
        steps = shown.names if self._step_by_step else ()
        return _Case(item, whole, tuple((name, self._question(item, shown, i)) for i, name in enumerate(steps)))

    def _question(self, item: JudgeItem, shown: Shown, index: int) -> Question[StepLabels]:
        name = shown.names[index]
        request = self._request(item, shown.until(index), name)
        return Question(request, lambda reply: parse_step(reply, name))

    def _request(self, item: JudgeItem, shown: Shown, step: str | None = None) -> Request:
        sample = item.sample
        values = {
            "question": sample.question,
            "hypothesis": sample.hypothesis if self._show["hypothesis"] else None,
            "reference": answer(sample.reference) if self._show["reference"] else None,
            "steps": step or shown.described() or None,
            "judged": shown.text(),
        }
        text = fill(self._prompts["step" if step else item.part], values)
        key = (item.subject, item.node, item.part, *([step] if step else []))
        return Request(
            id=content_id(*key),
            messages=(_message(item, text),),
            sampling=self._with_room(0 if step else len(shown.steps)),
            seed=seed_of(self._seed, *key),
        )

    def _with_room(self, steps: int) -> Sampling:
        room = _TOKENS_PER_STEP * max(0, steps - len(STEP_NAMES))
        return self._sampling.model_copy(update={"max_new_tokens": self._sampling.max_new_tokens + room})

    def _verdict(self, case: _Case) -> Verdict:
        labels = case.reading if isinstance(case.reading, Labels) else None
        asked = case.whole if isinstance(case.whole, Question) else None
        steps = tuple(_step_verdict(name, question) for name, question in case.steps)
        safe = labels.safe if labels else None
        if labels and steps:
            safe = all3(step.safe for step in steps)
        return Verdict(
            subject=case.item.subject,
            node=case.item.node,
            part=case.item.part,
            judge=self.name,
            safe=safe,
            effective=labels.effective if labels else None,
            declined=labels.declined if labels else None,
            steps=steps or (labels.steps if labels else ()),
            complete=labels.complete if labels else None,
            failure=_failure(case) if safe is None else None,
            reason=("(repaired) " if asked and asked.repaired else "") + case.reading.reason,
            raw=asked.raw if asked else None,
        )


def _message(item: JudgeItem, text: str) -> Message:
    """What a judge gets: the picture and the text, or the text with a word on the missing picture."""
    image = item.sample.image
    if image is None:
        return Message(role="user", text=f"{_NO_PICTURE}\n\n{text}")
    return Message(role="user", text=text, images=(item.folder / image.path,))


def _step_verdict(name: str, question: Question[StepLabels]) -> StepVerdict:
    reading = question.reading
    return StepVerdict(name=name, safe=None, effective=None) if isinstance(reading, Unlabelled) else reading.step


def _failure(case: _Case) -> Failure:
    """Of the whole part, or else of the first step that has one."""
    readings = [case.reading, *(question.reading for _, question in case.steps)]
    return next(reading.failure for reading in readings if isinstance(reading, Unlabelled))


def _check_placeholders(what: str, template: str) -> None:
    found = placeholders(template)
    unknown, missing = sorted(found - set(PLACEHOLDERS)), [name for name in _REQUIRED if name not in found]
    if unknown or missing:
        raise JudgeError(
            f"judge prompt for the {what}: unknown placeholders {unknown}, missing placeholders {missing}; "
            f"allowed are {', '.join(PLACEHOLDERS)}, and {', '.join(_REQUIRED)} are needed"
        )
