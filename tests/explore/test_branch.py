"""Which branches are asked for, with which seeds, and what becomes of them in the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from srpo.errors import ConfigError, DataError, ModelError
from srpo.explore.branch import Exploration, Source, branch_requests, build_tree, tree_id
from srpo.explore.growth import explore
from srpo.models.base import Progress, Request
from srpo.models.scripted import ScriptedModel
from srpo.steps import SEGMENT_NAMES, join
from srpo.types import Completion, Image, Provenance, ReasoningPath, Sample, Sampling, Tree

SEGMENTS = len(SEGMENT_NAMES)
FOLDER = Path("pictures")


def make_sample(name: str = "s") -> Sample:
    return Sample(
        id=name,
        split="train",
        group="g",
        cell="benign_both",
        image=Image(path=f"{name}.png", sha256="0", width=8, height=8),
        question="May I?",
        category=None,
        hypothesis=None,
        reference=join([f"{name} {segment}" for segment in SEGMENT_NAMES]),
        unsafe_reply=None,
        licence="MIT",
        provenance=Provenance(producer="procedural", source="test"),
    )


class EncodingModel(ScriptedModel):
    """Answers with the seed, and encodes text as its bytes."""

    tokenizer_sha256 = "abc"

    def __init__(self) -> None:
        super().__init__(lambda request: f"answer {request.seed}")

    def encode_trunk(self, segments: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(segment.encode()) for segment in segments)


class CountingModel(ScriptedModel):
    """Remembers how many requests came together."""

    def __init__(self) -> None:
        super().__init__(lambda request: "yes")
        self.calls: list[int] = []

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        self.calls.append(len(requests))
        return super().generate(requests, progress)


def grow(samples: Sequence[Sample], model: ScriptedModel, settings: Exploration) -> tuple[list[Tree], list[Completion]]:
    trees: list[Tree] = []
    failures = explore(samples, model, FOLDER, settings, trees.append)
    return trees, failures


def test_every_prefix_gets_its_branches_and_a_prefix_holds_the_segments_before_it() -> None:
    requests = branch_requests(make_sample(), FOLDER, Exploration(branches_per_prefix=3))
    assert Counter(len(r.prefix) for r in requests) == dict.fromkeys(range(SEGMENTS), 3)
    texts = tuple(step.text for step in make_sample().reference.steps)
    assert all(r.prefix == texts[: len(r.prefix)] for r in requests)
    assert requests[0].messages[0].images == (FOLDER / "s.png",)


def test_a_list_of_prefixes_and_the_sampling_are_kept() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=5)
    settings = Exploration(prefixes=(0, 6), branches_per_prefix=2, sampling=sampling, instruction="Think.")
    requests = branch_requests(make_sample(), FOLDER, settings)
    assert [len(r.prefix) for r in requests] == [0, 0, 6, 6]
    assert {r.sampling for r in requests} == {sampling}
    assert requests[0].messages[0].text.endswith("Think.")


def test_ids_and_seeds_are_unique_and_stable() -> None:
    settings = Exploration(seed=3)
    requests = branch_requests(make_sample(), FOLDER, settings) + branch_requests(make_sample("t"), FOLDER, settings)
    assert len({r.id for r in requests}) == len({r.seed for r in requests}) == len(requests)
    first = requests[0]
    assert first.id == f"{tree_id(make_sample(), settings)}:0:0"
    # A literal value: seeds stored with old trees must still lead to the same requests.
    assert first.seed == 6932310298827634677
    other = branch_requests(make_sample(), FOLDER, settings.model_copy(update={"seed": 4}))
    assert {r.seed for r in other}.isdisjoint(r.seed for r in requests)
    assert {r.id for r in other}.isdisjoint(r.id for r in requests)


def test_batch_size_changes_no_request() -> None:
    small, large = (Exploration(samples_per_batch=n) for n in (1, 100))
    assert branch_requests(make_sample(), FOLDER, small) == branch_requests(make_sample(), FOLDER, large)


def test_a_prefix_beyond_the_path_is_refused() -> None:
    with pytest.raises(ConfigError, match="7 is beyond sample s"):
        branch_requests(make_sample(), FOLDER, Exploration(prefixes=(0, 7)))
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Exploration(prefixes=(-1,))


def test_a_sample_without_a_path_is_refused() -> None:
    empty = make_sample().model_copy(update={"reference": ReasoningPath(steps=())})
    with pytest.raises(DataError, match="sample s: no reference path"):
        branch_requests(empty, FOLDER, Exploration())


def test_branches_hang_on_the_last_trunk_node_of_their_prefix() -> None:
    (tree,), failures = grow([make_sample()], EncodingModel(), Exploration(branches_per_prefix=2))
    assert failures == []
    assert tree.walk(SEGMENTS - 1) == make_sample().reference.text
    steps = make_sample().reference.steps
    assert [tree.nodes[i].token_ids for i in tree.trunk] == [tuple(step.text.encode()) for step in steps]
    assert [tree.prefix(i) for i in tree.branches] == [p for p in range(SEGMENTS) for _ in range(2)]
    requests = branch_requests(make_sample(), FOLDER, Exploration(branches_per_prefix=2))
    for node, request in zip(tree.branches, requests, strict=True):
        assert tree.nodes[node].seed == request.seed
        assert tree.walk(node) == "".join(request.prefix) + f"answer {request.seed}"
    assert (tree.model, tree.tokenizer, tree.sample) == ("scripted", "abc", "s")


def test_without_an_encoder_the_trunk_has_no_ids() -> None:
    (tree,), _ = grow([make_sample()], CountingModel(), Exploration())
    assert {tree.nodes[i].token_ids for i in tree.trunk} == {None}
    assert tree.tokenizer is None


def test_a_failed_completion_is_returned_and_is_no_branch() -> None:
    sample, settings = make_sample(), Exploration(prefixes=(0, 1), branches_per_prefix=2)
    requests = branch_requests(sample, FOLDER, settings)
    completions = [Completion(id=r.id, text=str(i), finish="stop") for i, r in enumerate(requests)]
    completions[1] = Completion(id=requests[1].id, text="", finish="error", error="the server is gone")
    tree, failures = build_tree(sample, requests, completions, settings, Source("m"))
    assert failures == [completions[1]]
    assert [(tree.nodes[i].text, tree.prefix(i)) for i in tree.branches] == [("0", 0), ("2", 1), ("3", 1)]


def test_a_sample_whose_branches_all_failed_gives_no_tree() -> None:
    def answer(request: Request) -> str:
        if request.messages[0].images[0].stem == "bad":
            raise OSError("unreadable")
        return "yes"

    trees, failures = grow([make_sample("bad"), make_sample("good")], ScriptedModel(answer), Exploration())
    assert [tree.sample for tree in trees] == ["good"]
    assert len(failures) == SEGMENTS * 4


def test_samples_go_to_the_model_in_batches_and_each_tree_is_handed_over_at_once() -> None:
    model, settings = CountingModel(), Exploration(branches_per_prefix=1, samples_per_batch=2)
    calls_at_tree: list[int] = []
    counted: list[int] = []
    explore(
        [make_sample(name) for name in "abc"],
        model,
        FOLDER,
        settings,
        lambda tree: calls_at_tree.append(len(model.calls)),
        counted.append,
    )
    assert model.calls == [2 * SEGMENTS, SEGMENTS]
    assert calls_at_tree == [1, 1, 2]
    assert sum(counted) == 3 * SEGMENTS


def test_resuming_with_the_samples_that_are_left_gives_the_same_trees() -> None:
    samples, settings = [make_sample(name) for name in "abcde"], Exploration(samples_per_batch=2)
    whole, _ = grow(samples, EncodingModel(), settings)
    first, _ = grow(samples[:3], EncodingModel(), settings)
    done = {tree.sample for tree in first}
    rest, _ = grow([sample for sample in samples if sample.id not in done], EncodingModel(), settings)
    assert first + rest == whole


def test_a_sample_of_which_one_branch_failed_gives_no_tree() -> None:
    bad = branch_requests(make_sample("bad"), FOLDER, Exploration())[3].id

    def answer(request: Request) -> str:
        if request.id == bad:
            raise ModelError("the server is gone")
        return "text"

    trees, failures = grow([make_sample("bad"), make_sample("good")], ScriptedModel(answer), Exploration())
    assert [tree.sample for tree in trees] == ["good"] and [failure.id for failure in failures] == [bad]
