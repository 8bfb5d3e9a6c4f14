"""Records of the dataset: from pictures through drafts and checks to reviewed samples.

A *source* is a picture of the user's.  A *draft* is one cell of a minimal set on its way to a sample; a *draft set*
holds the cells that are there so far, and every stage of the pipeline appends one row per set.  A *check* is what
judges say of a draft; a check that could not be made is `missing`, and never passes.  A *review* is what a person
decides of one sample.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from srpo.types.method import Cell, Image, ReasoningPath, Record

Role = Literal["query", "reasoning", "reflection", "rewrite", "text_only", "image_only", "counterpart", "summary"]
"""Agents of the pipeline; `text_only` and `image_only` are models that lack the picture, or the request."""

CheckName = Literal["redundancy", "completeness", "text_safety", "text_only", "image_only", "joint", "path"]
"""What is checked of a draft (`docs/ssui.md`)."""

CheckState = Literal["ok", "fail", "missing"]

DataStage = Literal["sources", "query", "reasoning", "reflection", "adjudication", "cells", "clean", "review"]
"""Where an item is, or was dropped."""


class Source(Record):
    """A picture that was taken over, as a file of the dataset folder."""

    record: Literal["source"] = "source"
    id: str = Field(description="first 16 hex digits of the SHA-256 of the file as it was given")
    image: Image = Field(description="the picture as it is used: upright, RGB, 8 bits; relative to the dataset folder")
    original: str = Field(description="name of the given file, relative to its folder")
    phash: str = Field(description="perceptual hash, 64 bits in hex")
    changes: tuple[str, ...] = Field(default=(), description="what was changed, such as `rotated by EXIF`")
    licence: str = Field(description="SPDX expression, or the words of the source")
    attribution: str = Field(default="", description="who made it")
    url: str | None = Field(default=None, description="where it was published; never fetched")
    caption: str | None = Field(default=None, description="what it was rendered from, or what the user says it shows")
    do_not_train: bool = Field(default=False, description="the source forbids training; such a picture is refused")


class Made(Record):
    """The call that made a text."""

    role: str = Field(description="agent or judge")
    model: str = Field(description="its name")
    prompt_sha256: str = Field(description="of the prompt file")
    request_sha256: str = Field(description="of messages, pictures, sampling and seed")
    seed: int = Field(description="of the call")
    temperature: float = Field(description="0 is greedy")
    repaired: bool = Field(default=False, description="the first reply could not be read; this is the second")


class Vote(Record):
    """What one judge says, once."""

    judge: str = Field(description="name of the model and its prompt")
    ok: bool | None = Field(description="none = could not judge")
    score: float | None = Field(default=None, ge=0, le=1, description="how safe, 0 to 1, where the judge gives scores")
    reason: str = Field(default="", description="the judge's words")
    raw: str | None = Field(default=None, description="the reply, verbatim")


class Check(Record):
    """The verdict of one check on one cell."""

    name: CheckName = Field(description="what was checked")
    state: CheckState = Field(description="`missing` = too few judges could judge; it never passes")
    score: float | None = Field(default=None, description="mean of the votes that could be read")
    threshold: float | None = Field(default=None, description="score from which on it is `ok`")
    votes: tuple[Vote, ...] = Field(default=(), description="in the order in which they were asked")
    shown: str = Field(default="", description="what was judged, if no field of the draft holds it: a reply, say")


CONDENSED: Final = "condensed"
"""Reason of the version that stood before the summary: every draft has it, and nothing was wrong with it."""


class Version(Record):
    """An earlier form of a draft, kept when it was rewritten."""

    question: str = Field(description="the request as it was")
    reference: ReasoningPath = Field(description="the path as it was")
    reason: str = Field(description="why it was rewritten")


class Draft(Record):
    """One cell on its way to a sample."""

    cell: Cell = Field(description="place in the minimal set")
    source: str = Field(description="id of the source of the picture")
    image: Image = Field(description="the picture")
    question: str = Field(description="the request, as a model gets it")
    category: str | None = Field(description="slug of the risk; none in benign cells")
    hypothesis: str | None = Field(description="the unsafe event; none in benign cells")
    safe_reply: str = Field(description="the reply that the model should give")
    unsafe_reply: str | None = Field(description="a reply that overlooks the risk; none in benign cells")
    reference: ReasoningPath | None = Field(default=None, description="six steps and the reply; none before reasoning")
    versions: tuple[Version, ...] = Field(default=(), description="earlier forms, the first one first")
    checks: tuple[Check, ...] = Field(default=(), description="in the order in which they were made")
    made: tuple[Made, ...] = Field(default=(), description="calls of agents that wrote it")


class DraftSet(Record):
    """A minimal set on its way: first the hazard cell alone, then all four."""

    record: Literal["draft_set"] = "draft_set"
    id: str = Field(description="hash of the picture's id and the number of the query")
    cells: dict[Cell, Draft] = Field(description="those that are there so far")


class Rejection(Record):
    """What was dropped, where and why; nothing is dropped without one."""

    record: Literal["rejection"] = "rejection"
    id: str = Field(description="of the source, or of the set")
    stage: DataStage = Field(description="where it was dropped")
    reason: str = Field(description="one word for counting, such as `text_only` or `near_duplicate`")
    detail: str = Field(description="in words, with what was found")
    of: DraftSet | None = Field(default=None, description="the set as it was; none for a source")


class Usage(Record):
    """Calls of one stage to one model, as they were made; replies from the cache cost nothing and are not here."""

    record: Literal["usage"] = "usage"
    stage: DataStage = Field(description="for which the calls were made")
    role: str = Field(description="agent or judge")
    model: str = Field(description="its name")
    calls: int = Field(ge=0, description="requests that were sent")
    failed: int = Field(default=0, ge=0, description="calls that brought no text")
    prompt_tokens: int = Field(ge=0, description="as the server counts them")
    completion_tokens: int = Field(ge=0, description="as the server counts them")
    cost: float | None = Field(description="in the currency of the price table; none without a price")


Decision = Literal["keep", "drop", "edit"]
"""Of a reviewer; `edit` keeps the sample as changed."""


class Edit(Record):
    """What a reviewer wrote anew; a field that is none is as it was."""

    question: str | None = Field(default=None, description="the new request")
    category: str | None = Field(default=None, description="the right slug")
    steps: dict[str, str] = Field(default_factory=dict, description="slug of the step, or `answer` -> new words")


class Review(Record):
    """What one person decided of one sample; the last one of a person counts, and withdrawn ones do not."""

    record: Literal["review"] = "review"
    id: str = Field(description="of the decision")
    sample: str = Field(description="id of the sample")
    sample_sha256: str = Field(
        description="of the sample that was shown, without its split; a review of other words is not used"
    )
    reviewer: str = Field(description="name that the person chose")
    role: Literal["reviewer", "adjudicator"] = Field(
        default="reviewer", description="an adjudicator decides where reviewers disagree"
    )
    decision: Decision = Field(description="what becomes of the sample")
    safety: int | None = Field(default=None, ge=1, le=5, description="5 = the reply and path are entirely safe")
    difficulty: int | None = Field(default=None, ge=1, le=5, description="5 = the risk is very hard to see")
    informativeness: int | None = Field(default=None, ge=1, le=5, description="5 = the reply helps as much as it may")
    edit: Edit | None = Field(default=None, description="set exactly when the decision is `edit`")
    first_wrong_step: str | None = Field(default=None, description="slug of the step, or `answer`")
    note: str = Field(default="", description="words of the reviewer")
    blind: bool = Field(description="the reviewer had not seen other votes or the checks of machines")
    time: str = Field(description="ISO 8601, UTC")
    seconds: float | None = Field(default=None, ge=0, description="from showing the sample to the decision")
    source: str = Field(default="srpo review", description="tool it was made in")
    withdrawn: bool = Field(default=False, description="undone by its reviewer")
    planned: int = Field(default=1, ge=1, description="reviewers that its sample was to have when this was written")
