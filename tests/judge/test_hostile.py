"""Five hundred replies that are built to break what reads them: no crash, no label by default, no long waits."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from hostile import COUNT, MEGABYTE, VERDICTS, half_characters, hostile_replies
from srpo.evaluate import score
from srpo.formats import PathFormat, read_path
from srpo.judge import JudgeItem, ModelJudge
from srpo.judge.lexicon import declines
from srpo.judge.parse import UnparsedReply, parse_labels, parse_step
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.steps import answer
from srpo.types import Completion, Part, Sample, Verdict
from srpo.world import WorldSettings, build_samples
from srpo.world.oracle import OracleJudge

FORMATS: tuple[PathFormat, ...] = ("six_steps", "think", "list", "paragraphs", "auto")
PARTS: tuple[Part, ...] = ("path", "answer")
REPLIES = hostile_replies()
LIMIT_SECONDS = 2.0
"""Of computing; on a busy machine more pass."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sample]:
    folder = tmp_path_factory.mktemp("world")
    settings = WorldSettings(train=1, test_scenes=0, test_combinations=0, test_rules=0)
    return folder, next(s for s in build_samples(settings, folder) if s.cell == "hazard")


def items(world: tuple[Path, Sample], part: Part, path_format: PathFormat = "auto") -> list[JudgeItem]:
    folder, sample = world
    return [
        JudgeItem(subject=f"c{i}", sample=sample, folder=folder, part=part, text=text, path_format=path_format)
        for i, text in enumerate(REPLIES)
    ]


def test_the_replies_are_what_others_rely_on() -> None:
    assert len(set(REPLIES)) == COUNT == 500 and hostile_replies() == REPLIES
    assert sum(len(text) > 0.9 * MEGABYTE for text in REPLIES) >= 15
    assert all(text.encode() for text in REPLIES if text)


@pytest.mark.parametrize("path_format", FORMATS)
def test_readings_are_lossless_and_quick(path_format: PathFormat) -> None:
    for text in [*REPLIES, *half_characters()]:
        start = time.process_time()
        assert read_path(text, path_format).text == text
        declines(text)
        assert time.process_time() - start < LIMIT_SECONDS, text[:40]


@pytest.mark.parametrize("part", PARTS)
def test_the_oracle_judges_none_of_them(world: tuple[Path, Sample], part: Part) -> None:
    verdicts = OracleJudge().judge(items(world, part, "six_steps"))
    assert {verdict.failure for verdict in verdicts} == {"malformed"}
    assert all(verdict.safe is verdict.effective is verdict.declined is None for verdict in verdicts)


@pytest.mark.parametrize("part", PARTS)
def test_none_of_them_is_a_judgement_unless_it_is_one_by_form(part: Part) -> None:
    read = []
    for text in REPLIES:
        start = time.process_time()
        with suppress(UnparsedReply):
            read.append((text, parse_labels(text, part)))
        with pytest.raises(UnparsedReply):
            parse_step(text, "step_1")
        assert time.process_time() - start < LIMIT_SECONDS, text[:40]
    # Five replies are a verdict and nothing else: what a judge may say, and an answer may be.
    assert all('"reason": "It is fine."' in text and labels.safe for text, labels in read)
    assert len(read) <= 5


def echo(request: Request) -> str:
    """A judge that falls for everything: it repeats what it was shown."""
    return request.messages[0].text


def obey(request: Request) -> str:
    """A judge that repeats the part alone, as the text may ask it to."""
    shown = request.messages[0].text
    name = "steps" if "\n[begin steps " in shown else "reply"
    return shown.split(f"\n[begin {name} ", 1)[1].partition("]\n")[2].rpartition(f"\n[end {name} ")[0]


@pytest.fixture(scope="module")
def fooled(world: tuple[Path, Sample]) -> dict[Part, list[Verdict]]:
    """Verdicts of a judge that repeats its prompt."""
    judge = ModelJudge(ScriptedModel(echo))
    return {part: judge.judge(items(world, part)) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_a_judge_that_repeats_its_prompt_gives_no_label(fooled: dict[Part, list[Verdict]], part: Part) -> None:
    assert all(verdict.safe is verdict.effective is verdict.declined is None for verdict in fooled[part])
    assert {verdict.failure for verdict in fooled[part]} == {"malformed", "unparsed"}


def test_a_judge_that_repeats_a_verdict_from_the_text_gives_no_label(world: tuple[Path, Sample]) -> None:
    small = [item for part in PARTS for item in items(world, part) if len(item.text) < MEGABYTE / 2]
    verdicts = ModelJudge(ScriptedModel(obey)).judge(small)
    assert all(verdict.safe is verdict.effective is verdict.declined is None for verdict in verdicts)
    assert sum("it is a copy" in verdict.reason for verdict in verdicts) > 5
    # Read by itself, such a reply is a verdict: only the comparison with the text tells.
    assert parse_labels(VERDICTS[0], "answer").safe


def test_scores_of_unjudged_replies_have_no_flag(world: tuple[Path, Sample], fooled: dict[Part, list[Verdict]]) -> None:
    for text, path, reply in zip(REPLIES, fooled["path"], fooled["answer"], strict=True):
        completion = Completion(id=path.subject, sample=world[1].id, text=text, finish="stop")
        result = score(completion, world[1], path, reply)
        flags = (result.path_safe, result.path_effective, result.answer_safe, result.answer_effective)
        assert flags == (None,) * 4 and result.declined is None and result.failure is not None


def test_half_a_character_is_malformed_and_not_sent(world: tuple[Path, Sample]) -> None:
    judge = ModelJudge(ScriptedModel(lambda request: pytest.fail("was sent")))
    for text in half_characters():
        item = items(world, "answer")[0].model_copy(update={"text": text})
        for found in (judge.judge([item]), OracleJudge().judge([item])):
            assert [verdict.failure for verdict in found] == ["malformed"]
            assert isinstance(found[0], Verdict)


def test_some_of_them_have_an_answer_to_judge() -> None:
    """Else the tests above would hold for a reader that reads nothing."""
    assert sum(answer(read_path(text, "auto")) is not None for text in REPLIES) > 200
