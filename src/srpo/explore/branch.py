"""Requests for continuations of the prefixes of a reference path, and the tree that their answers make.

All prefixes lie on the reference path, so all branches of all samples are independent of each other: a batch of
samples becomes one list of requests, and the backend shares whatever it can between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import Field

from srpo.errors import ConfigError, DataError
from srpo.explore.budget import BudgetKind
from srpo.models.base import Model, Request
from srpo.models.chat import render_messages
from srpo.records import content_id, seed_of
from srpo.types import Completion, Node, Record, Sample, Sampling, Tree


class ExploreSettings(Record):
    """Where to branch, how often and how."""

    prefixes: Literal["all"] | tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default="all", description="numbers of reference segments before the branches; all = 0 to the last but one"
    )
    budget: BudgetKind = Field(
        default="fixed", description="fixed = K everywhere; one_of_each and adaptive judge while they sample"
    )
    branches_per_prefix: int = Field(default=4, gt=0, description="K of the method, with other budgets the most")
    max_failed_branches: int = Field(
        default=0, ge=0, description="branches that a tree may lack; with more the sample is tried again on resuming"
    )
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
    return content_id("tree", sample.id, _identity(settings))


def _identity(settings: Exploration) -> dict[str, object]:
    """The settings that a tree hangs on; those that came later are left out at their defaults, so that ids stay."""
    left_out = {"samples_per_batch", "max_failed_branches"} | ({"budget"} if settings.budget == "fixed" else set())
    return settings.model_dump(mode="json", exclude=left_out)


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
    """The sample's tree, and the completions that failed; a failure is no branch, as nothing was said.

    Branches stand in the order of their requests.
    """
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
        failures=tuple(failure.error or "no reason given" for failure in failures),
    )
    return tree, failures


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


def source_of(model: Model, sample: Sample) -> Source:
    """What a sample's tree is sampled from."""
    if not isinstance(model, TrunkEncoder):
        return Source(model.name)
    ids = model.encode_trunk([step.text for step in sample.reference.steps])
    return Source(model.name, model.tokenizer_sha256, ids)
