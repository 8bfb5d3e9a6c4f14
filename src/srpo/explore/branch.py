"""Samples to trees: sample continuations from the prefixes of every reference path (exploration).

All prefixes lie on the reference path, so all branches of all samples are independent of each other: a batch of
samples becomes one list of requests, and the backend shares whatever it can between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import Field

from srpo.errors import ConfigError, DataError
from srpo.models.base import Model, Progress, Request
from srpo.models.chat import render_messages
from srpo.records import content_id, seed_of
from srpo.types import Completion, Node, Record, Sample, Sampling, Tree


class ExploreSettings(Record):
    """Where to branch, how often and how."""

    prefixes: Literal["all"] | tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default="all", description="numbers of reference segments before the branches; all = 0 to the last but one"
    )
    branches_per_prefix: int = Field(default=4, gt=0, description="K of the method")
    sampling: Sampling = Sampling(temperature=1.0, max_new_tokens=512)
    samples_per_batch: int = Field(default=8, gt=0, description="samples whose branches go to the model together")


class Exploration(ExploreSettings):
    """The settings together with what the whole run shares."""

    seed: int = 0
    instruction: str | None = Field(default=None, description="text after the request, e.g. to think in six steps")


@runtime_checkable
class TrunkEncoder(Protocol):
    """A model that knows its tokens; over a text-only server the ids of a tree stay empty."""

    @property
    def tokenizer_sha256(self) -> str:
        """Hash of the vocabulary and the chat template."""
        ...

    def encode_trunk(self, segments: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Ids of each segment, encoded apart; the last one with the end token."""
        ...


class Source(NamedTuple):
    """What a tree was sampled from."""

    model: str
    tokenizer: str | None = None
    trunk_ids: tuple[tuple[int, ...], ...] | None = None
    """Ids of each segment of the reference path, the last one with the end token."""


def tree_id(sample: Sample, settings: Exploration) -> str:
    """Id of the sample's tree under these settings; batching has no part in it.

    The model has none either: give each round of exploration its own seed.
    """
    return content_id("tree", sample.id, settings.model_dump(mode="json", exclude={"samples_per_batch"}))


def branch_requests(sample: Sample, folder: Path, settings: Exploration) -> list[Request]:
    """One request per branch, by prefix and then branch; `folder` is where the sample's image path starts from.

    Raises DataError if the sample has no reference path, ConfigError if a prefix goes beyond it.
    """
    identity, messages = tree_id(sample, settings), render_messages(sample, folder, settings.instruction)
    segments = tuple(step.text for step in sample.reference.steps)
    return [
        Request(
            id=f"{identity}:{prefix}:{branch}",
            messages=messages,
            prefix=segments[:prefix],
            sampling=settings.sampling,
            seed=seed_of(settings.seed, sample.id, prefix, branch),
        )
        for prefix in _prefixes(sample, settings)
        for branch in range(settings.branches_per_prefix)
    ]


def build_tree(
    sample: Sample,
    requests: Sequence[Request],
    completions: Sequence[Completion],
    settings: Exploration,
    source: Source,
) -> tuple[Tree, list[Completion]]:
    """The sample's tree, and the completions that failed; a failure is no branch, as nothing was said."""
    failures = [completion for completion in completions if completion.finish == "error"]
    branches = [
        Node(
            parent=len(request.prefix) - 1 if request.prefix else None,
            text=completion.text,
            sampled=True,
            token_ids=completion.token_ids,
            finish=completion.finish,
            seed=request.seed,
        )
        for request, completion in zip(requests, completions, strict=True)
        if completion.finish != "error"
    ]
    tree = Tree(
        id=tree_id(sample, settings),
        sample=sample.id,
        nodes=(*_trunk(sample, source.trunk_ids), *branches),
        model=source.model,
        tokenizer=source.tokenizer,
        sampling=settings.sampling,
        seed=settings.seed,
    )
    return tree, failures


def explore(
    samples: Iterable[Sample],
    model: Model,
    folder: Path,
    settings: Exploration,
    on_tree: Callable[[Tree], None],
    progress: Progress | None = None,
) -> list[Completion]:
    """Grow one tree per sample and hand it over as soon as its batch is done; returns the failed completions.

    To resume, leave out the samples whose trees are there already: a sample's branches do not depend on the
    others.  A sample of which a branch failed gives no tree, so that a resumed run tries it again.
    `progress` counts branches.
    """
    failures: list[Completion] = []
    remaining = iter(samples)
    while batch := list(islice(remaining, settings.samples_per_batch)):
        requests = [branch_requests(sample, folder, settings) for sample in batch]
        completions = iter(model.generate([request for own in requests for request in own], progress))
        for sample, own in zip(batch, requests, strict=True):
            answers = list(islice(completions, len(own)))
            tree, failed = build_tree(sample, own, answers, settings, _source(model, sample))
            failures += failed
            if not failed:
                on_tree(tree)
    return failures


def _prefixes(sample: Sample, settings: Exploration) -> tuple[int, ...]:
    segments = len(sample.reference.steps)
    if segments == 0:
        raise DataError(f"sample {sample.id}: no reference path to branch from")
    if settings.prefixes == "all":
        return tuple(range(segments))
    beyond = [prefix for prefix in settings.prefixes if prefix >= segments]
    if beyond:
        raise ConfigError(f"prefixes: {beyond[0]} is beyond sample {sample.id}, whose prefixes are 0 to {segments - 1}")
    return settings.prefixes


def _trunk(sample: Sample, ids: tuple[tuple[int, ...], ...] | None) -> list[Node]:
    return [
        Node(parent=i - 1 if i else None, text=step.text, sampled=False, token_ids=None if ids is None else ids[i])
        for i, step in enumerate(sample.reference.steps)
    ]


def _source(model: Model, sample: Sample) -> Source:
    if not isinstance(model, TrunkEncoder):
        return Source(model.name)
    ids = model.encode_trunk([step.text for step in sample.reference.steps])
    return Source(model.name, model.tokenizer_sha256, ids)
