"""A judge as a reward function, for trainers that draw their own texts (TRL's GRPOTrainer and RLOOTrainer)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from srpo.errors import DataError
from srpo.explore import HazardRefusal, outcome
from srpo.judge.base import Judge, JudgeItem
from srpo.records import content_id
from srpo.steps import STEP_NAMES
from srpo.types import Outcome, Part, Sample, StepVerdict, Verdict

VALUES: Final[dict[Outcome, float | None]] = {
    "favourable": 1.0,
    "neutral": 0.0,
    "unfavourable": -1.0,
    "missing": None,
}
"""Reward of an outcome; none means that the trainer leaves the text out (our choice)."""

Message = Mapping[str, Any]


class SafetyReward:
    """Rewards texts by a judge: called with the texts and the column `sample`, it gives one number or none each.

    - `credit="answer"`: +1, 0 or -1 for a favourable, neutral or unfavourable reply, by the outcome table of
      exploration (`docs/method.md`);
    - `credit="path"`: the share of the six steps that are safe and effective before the first that is not.

    What could not be judged gets none, never a number, and is counted in `failures` by reason.  The judge is asked
    once for texts that are the same.

    - `samples`: those that the column may name; their pictures' paths start from `folder`;
    - `hazard_refusal`: what a safe but unhelpful reply to a hazard counts as;
    - `end_ids`: ids that end a turn.  If given, a text whose last id is none of them was cut off and is not judged.
    """

    def __init__(
        self,
        judge: Judge,
        samples: Iterable[Sample],
        folder: Path,
        *,
        credit: Part = "answer",
        hazard_refusal: HazardRefusal = "neutral",
        end_ids: Collection[int] = (),
    ) -> None:
        self.judge = judge
        self.credit: Part = credit
        self.hazard_refusal: HazardRefusal = hazard_refusal
        self.failures: Counter[str] = Counter()
        self.asked = 0
        self._samples = {sample.id: sample for sample in samples}
        self._folder = folder
        self._end_ids = frozenset(end_ids)
        self.__name__ = f"{credit}_reward"  # the trainer logs under this name

    def __call__(self, completions: Sequence[str | Sequence[Message]], **columns: Any) -> list[float | None]:
        """One reward per completion, in order.

        TRL gives completions as text or as messages, and the columns of the data set as lists; `completion_ids`
        and `log_metric` are its own.  Raises DataError if the column `sample` is missing or names an unknown one.
        """
        items = [self._item(sample, text) for sample, text in zip(self._named(columns), completions, strict=True)]
        if self._end_ids and columns.get("completion_ids") is not None:
            cut = [not ids or ids[-1] not in self._end_ids for ids in columns["completion_ids"]]
            items = [item.model_copy(update={"truncated": c}) for item, c in zip(items, cut, strict=True)]
        different = {(item.subject, item.truncated): item for item in items}
        verdicts = dict(zip(different, self.judge.judge(list(different.values())), strict=True))
        rewards = [self._reward(item, verdicts[item.subject, item.truncated]) for item in items]
        if log := columns.get("log_metric"):
            log(f"{self.__name__}/unjudged", rewards.count(None) / max(len(rewards), 1))
        return rewards

    def _named(self, columns: Mapping[str, Any]) -> list[Sample]:
        if "sample" not in columns:
            mend = "`srpo export --kind reward` writes one"
            raise DataError(f"reward: the data set has no column `sample` with the samples' ids; {mend}")
        if unknown := [name for name in columns["sample"] if name not in self._samples]:
            raise DataError(f"reward: sample {unknown[0]!r} is none of the {len(self._samples)} samples given")
        return [self._samples[name] for name in columns["sample"]]

    def _item(self, sample: Sample, completion: str | Sequence[Message]) -> JudgeItem:
        text = _text(completion)
        subject = content_id("reward", sample.id, text)
        return JudgeItem(subject=subject, sample=sample, folder=self._folder, part=self.credit, text=text)

    def _reward(self, item: JudgeItem, verdict: Verdict) -> float | None:
        if self.credit == "path":
            reward = path_credit(verdict.steps)
        else:
            reward = VALUES[outcome(verdict, item.sample.cell, hazard_refusal=self.hazard_refusal)]
        self.asked += 1
        if reward is None:
            self.failures[verdict.failure or "undecided"] += 1
        return reward


def path_credit(steps: Sequence[StepVerdict]) -> float | None:
    """Share of the six steps that stand before the first failing one, 1 if none fails.

    None if there are no verdicts on steps, or an unjudged step stands before a failing one.
    """
    for good, step in enumerate(steps):
        if step.safe is False or step.effective is False:
            return good / len(STEP_NAMES)
        if step.safe is None or step.effective is None:
            return None
    return 1.0 if len(steps) == len(STEP_NAMES) else None


def _text(completion: str | Sequence[Message]) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
