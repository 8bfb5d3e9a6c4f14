"""Settings of `srpo build`: one YAML file, every key documented here."""

from __future__ import annotations

import math
import re
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from srpo.config import Settings
from srpo.types import CATEGORIES

PromptName = Literal[
    "agent_query",
    "agent_reasoning",
    "agent_reflection",
    "agent_rewrite",
    "agent_summary",
    "agent_counterpart",
    "agent_benign",
    "agent_describe",
    "judge_text_alone",
    "judge_image_alone",
    "judge_answer",
    "judge_path",
]
"""Prompt files of `srpo/prompts`, each of which can be replaced by one of your own."""


SPLIT_NAME: Final = re.compile(r"\w+(\.\w+)*")
"""Names that the library `datasets` accepts."""


class ImageSettings(Settings):
    """Where pictures come from."""

    folder: str | None = Field(default=None, description="folder of pictures, searched with its subfolders")
    captions: str | None = Field(default=None, description="text file, one caption per line, each to be rendered")
    licence: str | None = Field(
        default=None, description="SPDX expression of all pictures for which `table` names none; needed for every one"
    )
    attribution: str = Field(default="", description="who made the pictures for which `table` names nobody")
    table: str | None = Field(
        default=None,
        description="CSV file with columns file, licence, attribution, url, caption, do_not_train; file is relative "
        "to the folder",
    )
    min_edge: int = Field(default=32, gt=0, description="pixels; smaller pictures are refused")
    max_pixels: int = Field(default=50_000_000, gt=0, description="larger pictures are refused before decoding")


class ModelSettings(Settings):
    """A model that agents or judges are."""

    model: str = Field(description="openai:NAME, or hf:FOLDER_OR_NAME for a local model")
    base_url: str | tuple[str, ...] | None = Field(default=None, description="server of an openai: model, or several")
    temperature: float = Field(
        default=0.7, ge=0, description="of agents; judges are asked at 0, and further votes at 1"
    )
    max_new_tokens: int = Field(default=1024, gt=0, description="token limit of one reply")
    max_concurrency: int = Field(default=16, gt=0, description="requests under way at a time at each server")
    timeout_seconds: float = Field(default=120, gt=0, description="for one attempt of a request")
    max_retries: int = Field(default=3, ge=0, description="attempts after the first")
    input_price: float | None = Field(default=None, ge=0, description="per million prompt tokens")
    output_price: float | None = Field(default=None, ge=0, description="per million completion tokens")

    @model_validator(mode="after")
    def _is_a_model(self) -> Self:
        if not self.model.startswith(("openai:", "hf:")) or not self.model.partition(":")[2]:
            raise ValueError(f"model {self.model!r}: expected openai:NAME or hf:FOLDER_OR_NAME")
        return self


class RoleSettings(Settings):
    """Which of `models` plays which part."""

    query: str = Field(default="agent", description="proposes an unsafe event, a request and replies")
    reasoning: str = Field(default="agent", description="writes the six steps")
    reflection: str = Field(default="agent", description="finds redundant and missing steps, and rewrites")
    summary: str = Field(default="agent", description="condenses the path into the final record")
    counterpart: str = Field(default="agent", description="proposes harmless counterparts")
    text_only: str = Field(default="agent", description="answers requests without their picture")
    image_only: str = Field(default="agent", description="describes pictures without a request")
    judges: tuple[str, ...] = Field(
        default=("judge",), min_length=1, description="judge all checks; several give votes in turn"
    )


class CheckSettings(Settings):
    """How strict the checks are."""

    rewrites: int = Field(default=2, ge=0, description="times that a path may be rewritten before its set is dropped")
    votes: int = Field(default=3, gt=0, description="votes per check; odd, so that there is a majority")
    threshold: float = Field(default=0.5, gt=0, le=1, description="a safety score from which a vote is `ok`, 0 to 1")
    path: bool = Field(default=True, description="also judge the reasoning of every cell")

    @model_validator(mode="after")
    def _has_a_majority(self) -> Self:
        if self.votes % 2 == 0:
            raise ValueError(f"votes: expected an odd number, got {self.votes}")
        return self


class CellSettings(Settings):
    """How minimal sets are completed."""

    candidates: int = Field(
        default=4, gt=0, description="nearest pictures of the pool that are tried as harmless counterpart"
    )
    render: bool = Field(default=False, description="ask the renderer for a counterpart if no picture will do")


class RenderSettings(Settings):
    """A server that draws pictures from captions (OpenAI's images protocol)."""

    model: str = Field(description="name of the model at the server")
    base_url: str | None = Field(default=None, description="its address; none = OpenAI itself")
    size: str = Field(default="1024x1024", description="as the server names it")
    price: float | None = Field(default=None, ge=0, description="of one picture")


class CleanSettings(Settings):
    """What is too near to something else, and how many sets are wanted."""

    image_bits: int = Field(
        default=4, ge=0, le=32, description="two pictures are near duplicates if their hashes differ in so many bits"
    )
    text_similarity: float = Field(
        default=0.8, gt=0, le=1, description="two requests are near duplicates if their shingles are so alike (Jaccard)"
    )
    sets: int | None = Field(default=None, gt=0, description="minimal sets wanted in all; none = as many as there are")
    quotas: dict[str, int] = Field(default_factory=dict, description="slug of a category -> minimal sets at most")

    @model_validator(mode="after")
    def _categories_are_known(self) -> Self:
        for name in self.quotas:
            if name not in CATEGORIES:
                raise ValueError(f"quotas: unknown category {name!r}; choose from {', '.join(CATEGORIES)}")
        return self


class LeakageSettings(Settings):
    """A public benchmark that no sample may come near."""

    path: str = Field(description="the published file, or the folder that holds it")
    images: str | None = Field(default=None, description="folder of its pictures; none = beside the file")


class BuildConfig(Settings):
    """A whole dataset."""

    name: str = Field(
        default="ssui", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the dataset, in its card"
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="of agents, splits and intervals")
    images: ImageSettings = Field(default_factory=ImageSettings, description="pictures")
    queries_per_image: int = Field(default=1, gt=0, description="unsafe events that are asked for per picture")
    models: dict[str, ModelSettings] = Field(description="name -> model; `roles` names them")
    roles: RoleSettings = Field(default_factory=RoleSettings, description="who does what")
    renderer: RenderSettings | None = Field(default=None, description="draws captions; needed for `images.captions`")
    prompts: dict[PromptName, str] = Field(
        default_factory=dict, description="name of a prompt file -> a file of your own that replaces it"
    )
    checks: CheckSettings = Field(default_factory=CheckSettings, description="checks")
    cells: CellSettings = Field(default_factory=CellSettings, description="harmless counterparts")
    clean: CleanSettings = Field(default_factory=CleanSettings, description="duplicates and quotas")
    leakage: dict[str, LeakageSettings] = Field(
        default_factory=dict, description="name of a public benchmark -> its files on this machine"
    )
    splits: dict[str, float] = Field(
        default_factory=lambda: {"train": 0.8, "val": 0.1, "rsbench": 0.1},
        description="split -> share of the minimal sets; shares add up to 1",
    )
    response_cache: str | None = Field(
        default=None, description="folder that keeps what servers replied; none = `cache` in the dataset folder"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.images.folder is None) == (self.images.captions is None):
            raise ValueError("images: give either folder or captions")
        if self.renderer is None and (self.images.captions is not None or self.cells.render):
            raise ValueError("renderer: is needed to draw captions; give its model and base_url")
        wanted = {*self.roles.model_dump(exclude={"judges"}).values(), *self.roles.judges}
        if missing := sorted(wanted - self.models.keys()):
            raise ValueError(f"models: {missing[0]!r} is missing, which `roles` names; there are {sorted(self.models)}")
        if bad := next((name for name in self.splits if not SPLIT_NAME.fullmatch(name)), None):
            raise ValueError(f"splits: {bad!r} cannot be published; use letters, digits, _ and . only, as in `train_a`")
        shares = self.splits.values()
        if any(share <= 0 for share in shares) or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"splits: expected shares above 0 that add up to 1, got {self.splits}")
        return self
