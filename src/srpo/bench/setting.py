"""What is measured: sizes of models and trees, and the results as records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srpo.bench.counts import Lengths
from srpo.errors import ConfigError
from srpo.types import Record

Size = Literal["tiny", "small", "qwen2.5-vl-3b", "qwen2.5-vl-7b"]
Vision = Literal["cached", "each", "given"]
Dtype = Literal["float32", "bfloat16", "float64"]

BEFORE, AFTER = 8, 32
"""Text tokens of a prompt before and after its picture; both ends of the picture add one more."""

_DEFAULTS: dict[Size, tuple[int, int]] = {
    "tiny": (16, 4),
    "small": (256, 24),
    "qwen2.5-vl-3b": (1024, 60),
    "qwen2.5-vl-7b": (1024, 60),
}
"""Picture tokens and tokens per step."""


class Setting(Record):
    """One measurement; the same trees and weights follow from the same setting."""

    size: Size
    device: str
    dtype: Dtype
    image_tokens: int = Field(description="tokens of the picture in the prompt")
    steps: int = Field(description="steps of the reference path; the reply follows")
    branches: int = Field(description="branches per prefix")
    step_tokens: int = Field(description="tokens of a step and of the reply")
    branch_tokens: int | None = Field(description="tokens of a branch; none = as many as the reference path has left")
    trees: int
    repeats: int
    rows: int = Field(default=8, description="rows of one pass where paths share nothing")
    lora: bool = False
    vision: Vision = "cached"
    trl: bool = False

    @property
    def lengths(self) -> Lengths:
        """Token counts of every tree: branches fork from all prefixes, 0 to `steps`."""
        own = [self.branch_tokens or (self.steps + 1 - i) * self.step_tokens for i in range(self.steps + 1)]
        prompt = BEFORE + 1 + self.image_tokens + 1 + AFTER
        segments = (self.step_tokens,) * (self.steps + 1)
        return Lengths(prompt, segments, tuple((length,) * self.branches for length in own))


def fill_in(size: Size, image_tokens: int | None, step_tokens: int | None) -> tuple[int, int]:
    """Picture and step tokens, by default those that suit the size."""
    picture, step = _DEFAULTS[size]
    return image_tokens or picture, step_tokens or step


MOST_BRANCHES = 500
"""Of one prefix: each begins with another token, and the smallest vocabulary has few more."""


def check(setting: Setting) -> Setting:
    """Raises ConfigError for a number that cannot be measured."""
    for name, least in (("branches", 2), ("rows", 2), ("branch_tokens", 2), ("step_tokens", 2)):
        value = getattr(setting, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; give at least {least}")
    if setting.branches > MOST_BRANCHES:
        raise ConfigError(f"--branches is {setting.branches}; give at most {MOST_BRANCHES}")
    for name in ("image_tokens", "steps", "trees", "repeats"):
        if getattr(setting, name) < 1:
            raise ConfigError(f"--{name.replace('_', '-')} is {getattr(setting, name)}; give at least 1")
    return setting


class Spread(Record):
    """Fastest and slowest repeat, in seconds."""

    low: float
    high: float


class Bench(Record):
    """Figures that both benchmarks have; the keys of the dictionaries are the ways compared."""

    setting: dict[str, object] = Field(description="all options, versions, threads and the device")
    seconds: dict[str, float] = Field(description="median over the repeats")
    spread: dict[str, Spread]
    ratios: dict[str, dict[str, float]] = Field(description="figure -> way -> its value over that of `tree`")


class TrainBench(Bench):
    """A training step: forward, loss and backward of the same trees."""

    bench: Literal["train"] = "train"
    tokens: dict[str, int] = Field(description="real tokens through the language model")
    padded_tokens: dict[str, int] = Field(description="counted at the language model, padding included")
    lower_bound_tokens: int
    flops: dict[str, int]
    peak_memory_bytes: dict[str, int | None] = Field(description="beyond weights and gradients; none = not measurable")
    loss: dict[str, float]
    gradient_norm: dict[str, float]
    max_abs_logp_difference: float = Field(description="over all tokens of all paths")
    max_abs_mean_logp_difference: float = Field(description="of the means that the loss takes")


class ExploreBench(Bench):
    """Sampling: all branches of all prefixes."""

    bench: Literal["explore"] = "explore"
    tokens: dict[str, dict[str, int]] = Field(description="`prefill` and `decode`, counted at the language model")
    lower_bound_tokens: dict[str, int]
    new_tokens: int = Field(description="sampled in each way")
    new_tokens_per_second: dict[str, float]
    peak_memory_bytes: dict[str, int | None]
    greedy_equal: dict[str, float] = Field(description="share of prefixes with the ids of `per_prefix`")
