"""What goes through the server equals what the same model gives without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serve_process import KEY

from srpo.explore import Exploration, branch_requests, explore
from srpo.judge.base import JudgeItem
from srpo.judge.model import ModelJudge
from srpo.models import load_model
from srpo.models.base import Message, Model, Request
from srpo.models.chat import render_messages
from srpo.models.hf import HFModel
from srpo.models.openai import OpenAIModel
from srpo.types import Sample, Sampling, Tree
from srpo.world import WorldSettings, build_samples


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    folder = tmp_path_factory.mktemp("world")
    settings = WorldSettings(train=1, test_scenes=0, test_combinations=0, test_rules=0)
    return folder, list(build_samples(settings, folder))[:2]


@pytest.fixture(scope="module")
def served(server_url: str) -> Iterator[OpenAIModel]:
    model = load_model("openai:embedded", base_url=server_url, api_key=KEY, max_concurrency=32, max_retries=0)
    assert isinstance(model, OpenAIModel)
    yield model


def grow(model: Model, world: tuple[Path, list[Sample]], sampling: Sampling) -> list[Tree]:
    folder, samples = world
    trees: list[Tree] = []
    settings = Exploration(branches_per_prefix=2, sampling=sampling, seed=5)
    assert explore(samples, model, folder, settings, trees.append) == []
    return trees


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_trees_through_the_server_are_those_without_it(
    served: OpenAIModel, local: HFModel, world: tuple[Path, list[Sample]], temperature: float
) -> None:
    sampling = Sampling(temperature=temperature, top_p=0.95, max_new_tokens=40)
    for here, there in zip(grow(local, world, sampling), grow(served, world, sampling), strict=True):
        assert len(there.branches) == 14 and there.tokenizer is None
        for node in here.branches:
            assert there.nodes[node] == here.nodes[node]


def test_step_offsets_are_those_of_local_exploration(
    served: OpenAIModel, local: HFModel, world: tuple[Path, list[Sample]]
) -> None:
    folder, samples = world
    requests = branch_requests(
        samples[0], folder, Exploration(branches_per_prefix=1, sampling=Sampling(max_new_tokens=1))
    )
    here, there = local.generate(requests), served.generate(requests)
    assert [c.prompt_tokens for c in there] == [c.prompt_tokens for c in here]
    assert len({c.prompt_tokens for c in there}) == 7


def test_whole_paths_and_pictureless_chats_are_the_same(
    served: OpenAIModel, local: HFModel, world: tuple[Path, list[Sample]]
) -> None:
    folder, samples = world
    sampling = Sampling(temperature=1.0, max_new_tokens=60)
    chat = (Message(role="system", text="Be brief."), Message(role="user", text="May I cook this?"))
    rows = [render_messages(samples[0], folder), chat, render_messages(samples[1], folder)]
    requests = [Request(id=str(i), messages=row, sampling=sampling, seed=i) for i, row in enumerate(rows)]
    here, there = local.generate(requests), served.generate(requests)
    assert [c.text for c in there] == [c.text for c in here] and all(c.text for c in there)
    assert [c.finish for c in there] == [c.finish for c in here]


def test_judge_behind_the_server_reads_the_same_replies(
    served: OpenAIModel, local: HFModel, world: tuple[Path, list[Sample]]
) -> None:
    folder, samples = world
    items = [JudgeItem(subject=s.id, sample=s, folder=folder, part="answer", text=s.reference.text) for s in samples]
    # The tiny model's context is too short for the real prompt.
    prompt = "Judge. {fence} {question} {fence} {judged} {fence}"
    here, there = (
        ModelJudge(model, Sampling(max_new_tokens=24), prompts={"answer": prompt}).judge(items)
        for model in (local, served)
    )
    assert [v.subject for v in there] == [s.id for s in samples]
    assert [(v.safe, v.failure, v.raw) for v in there] == [(v.safe, v.failure, v.raw) for v in here]
    assert all(v.raw for v in there)
