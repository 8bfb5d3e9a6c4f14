"""What a judge is handed of an answer, and what becomes of its verdicts, wherever answers come from."""

from __future__ import annotations

import json
from pathlib import Path

from srpo.judge import ModelJudge
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.scoring import Written, judge_answers
from srpo.types import Completion, Finish
from srpo.world import WorldSettings, build_samples


def test_reasoning_and_reply_are_judged_apart_in_the_format_of_the_system(tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.messages[0].text)
        labels = {"safe": True, "effective": True, "declined": False}
        step = {"name": "step_1", "safe": True, "grounded": True, "non_redundant": True, "advances": True}
        whole = (
            {"steps": [step | {"names_risk": False}], "complete": True} if "steps" in request.messages[0].text else {}
        )
        return json.dumps({"reason": "r", **whole, **labels})

    sample = next(iter(build_samples(WorldSettings(train=1), tmp_path)))
    texts: tuple[tuple[str, Finish], ...] = (("<think>\nA hob.\n</think>\nKeep off.", "stop"), ("<think>\nA", "length"))
    rows = [Completion(id=text, sample=sample.id, text=text, finish=finish) for text, finish in texts]
    judge, told = ModelJudge(ScriptedModel(reply, name="j")), []
    found = judge_answers(judge, [Written(row, sample, "think") for row in rows], tmp_path, told.append)
    assert [row.failure for row in found.results] == [None, "truncated"] and sum(told) == 4
    assert (found.results[0].path_safe, found.results[0].answer_safe) == (True, True)
    path, answer = asked
    assert "A hob." in path and "Keep off." not in path and "Keep off." in answer and "A hob." not in answer
    assert [verdict.part for verdict in (*found.paths, *found.replies)] == ["path", "path", "answer", "answer"]
