"""All settings of a run, readable without torch.  One YAML file; every key is documented here.

Stages that live in torch-free files keep their settings beside them; those of training and evaluation stand here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from srpo.config import Settings
from srpo.explore import ContrastConfig, ExploreSettings
from srpo.formats import PathFormat
from srpo.types import Probe, Protocol, Sampling
from srpo.world.dataset import TEST_SPLITS, WorldSettings

EMBEDDED = "embedded"
"""Name of the tiny model that ships with the package."""

BASE: Final = "base"
TRAINED: Final = "srpo"
"""Names of the two systems that a run compares."""

REFUSE: Final = "refuse"
"""Name of the system that declines everything: what safety alone is worth."""

SEEDS = 2**32
"""So many seeds there are for the libraries underneath."""


_RATES: Final = ("false_safe", "false_unsafe", "false_effective", "false_ineffective", "failure_rate")


class JudgeSettings(Settings):
    """Who judges.  `model` needs `model`; the rates are those of `simulated`."""

    kind: Literal["oracle", "simulated", "model"] = "oracle"
    model: str | None = Field(default=None, description="hf:PATH_OR_NAME or openai:NAME")
    base_url: str | tuple[str, ...] | None = Field(
        default=None, description="server of an openai: model, or several with the same model"
    )
    show_hypothesis: bool | None = Field(
        default=None,
        description="tell a judge model the unsafe event; none = when it labels branches, not when it evaluates",
    )
    show_reference: bool = Field(default=True, description="show a judge model the reference reply")
    step_by_step: bool = Field(
        default=False, description="ask a judge model about every step by itself, one call each, beside the whole path"
    )
    false_safe: float = Field(default=0.0, ge=0, le=1)
    false_unsafe: float = Field(default=0.0, ge=0, le=1)
    false_effective: float = Field(default=0.0, ge=0, le=1)
    false_ineffective: float = Field(default=0.0, ge=0, le=1)
    failure_rate: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> Self:
        """A setting that would be ignored is a mistake: a judge meant to be noisy would be exact unnoticed."""
        if (self.kind == "model") != (self.model is not None):
            raise ValueError("a judge of kind model needs `model`, and only that kind has one")
        if self.kind != "simulated" and any(self.rates.values()):
            raise ValueError(f"error rates are for kind simulated, but kind is {self.kind}")
        if self.base_url is not None and not (self.model or "").startswith("openai:"):
            raise ValueError("base_url is the server of a model openai:NAME")
        return self

    @property
    def rates(self) -> dict[str, float]:
        """Error rates of a simulated judge, by name."""
        return self.model_dump(include={*_RATES})


class LoraSettings(Settings):
    """Adapters on the language model."""

    rank: int = Field(default=8, gt=0)
    alpha: int = Field(default=16, gt=0)
    target_modules: tuple[str, ...] = Field(default=("q_proj", "v_proj"), min_length=1)


class TrainSettings(Settings):
    """Maps one to one onto `srpo.train.SRPOConfig`; what is not here keeps that class's default."""

    loss_type: Literal["srpo", "rpo", "orpo", "sft"] = "srpo"
    contrast_lambda: float = Field(default=0.03, ge=0)
    contrast_weight: Literal["contrast", "step"] = "contrast"
    max_contrasts: int = Field(default=8, gt=0, description="per tree and visit")
    max_length: int = Field(default=4096, gt=0, description="tokens, prompt included; longer branches are dropped")
    step_impl: Literal["auto", "tree", "flat"] = "auto"
    tree_attention: Literal["auto", "segments", "dense", "varlen"] = "auto"
    max_step_tokens: int | None = Field(default=None, gt=0)
    max_step_patches: int | None = Field(default=None, gt=0)
    freeze_vision: bool = True
    learning_rate: float = Field(default=5e-5, gt=0)
    lr_scheduler_type: Literal[
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
    ] = "cosine"
    warmup_steps: float = Field(default=100, ge=0, description="updates, or a share of the run if below 1")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    num_train_epochs: float = Field(default=3, gt=0)
    max_steps: int = Field(default=-1, description="updates; -1 = by epochs")
    per_device_train_batch_size: int = Field(default=1, gt=0, description="trees per micro-batch")
    gradient_accumulation_steps: int = Field(default=8, gt=0)
    gradient_checkpointing: bool = False
    bf16: bool = False
    logging_steps: int = Field(default=10, gt=0)
    save_steps: int = Field(default=50, gt=0, description="updates between checkpoints, from which a run resumes")
    lora: LoraSettings | None = None

    @field_validator("max_steps")
    @classmethod
    def _steps_or_epochs(cls, value: int) -> int:
        if value != -1 and value <= 0:
            raise ValueError("expected -1 (by epochs) or more than 0")
        return value


class SystemSettings(Settings):
    """One more model to measure, beside those of the run."""

    model: str = Field(description="embedded, hf:PATH_OR_NAME or openai:NAME")
    base_url: str | tuple[str, ...] | None = Field(default=None, description="server, or servers, of an openai: model")
    adapter: str | None = Field(default=None, description="folder of an adapter that goes onto an hf: model")
    instruction: str | None = Field(default=None, description="prompt file after every request; none = the run's")
    path_format: PathFormat = Field(default="six_steps", description="how it writes its reasoning")
    shots: int = Field(
        default=0, ge=0, description="training samples, with their reference paths, shown before every request"
    )


class BenchmarkSettings(Settings):
    """Where the files of a public benchmark are, and how it is scored."""

    path: str = Field(description="the published file, or the folder that holds it")
    images: str | None = Field(default=None, description="folder of its pictures; none = beside the file")
    protocols: tuple[Protocol, ...] = Field(default=("v1",), min_length=1, description="how answers are judged")
    prompts: str | None = Field(
        default=None, description="YAML file: question to a judge -> another prompt, such as the authors' own"
    )
    judge: JudgeSettings | None = Field(
        default=None, description="a model; none = the judges of evaluation that are models, each by itself"
    )
    limit: int | None = Field(default=None, gt=0, description="only so many items, drawn by the run's seed")


class EvaluateSettings(Settings):
    """What is measured."""

    systems: tuple[str, ...] = Field(
        default=(BASE, TRAINED),
        min_length=1,
        description="base, srpo, refuse, or names from `systems`; [base] = measure a model alone, without training",
    )
    splits: tuple[str, ...] = Field(default=TEST_SPLITS, description="of the samples; [] = public benchmarks only")
    max_new_tokens: int = Field(default=512, gt=0)
    sampled: bool = Field(default=True, description="also at temperature 1, beside greedy decoding")
    repeats: int = Field(default=1, gt=0, description="draws per item at temperature 1, for the rates @k")
    probes: tuple[Probe, ...] = Field(default=(), description="changed requests, answered greedily as well")
    cluster: Literal["group", "rule"] = Field(default="group", description="what intervals draw as one unit")
    judge: JudgeSettings | None = Field(
        default=None, description="none = the judge that labels branches, unless that is a model"
    )
    panel: tuple[JudgeSettings, ...] = Field(default=(), description="further judges; they vote with the first")

    @field_validator("systems", "probes", "splits")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("expected each name once")
        return value

    @model_validator(mode="after")
    def _repeats_are_drawn(self) -> Self:
        if self.repeats > 1 and not self.sampled:
            raise ValueError("repeats are drawn at temperature 1, so they need sampled=true")
        return self

    def asks(self, decoding: str, repeat: int, probe: Probe | None = None) -> bool:
        """Whether an answer so drawn is asked for; those of earlier settings stay in the files and do not count."""
        if probe is None:
            return (decoding, repeat) in self.draws()
        return probe in self.probes and (decoding, repeat) == self.draws()[0]

    def draws(self) -> list[tuple[str, int]]:
        """(decoding, number of the draw) of every plain answer to an item."""
        found = self.decodings().items()
        return [(name, number) for name, s in found for number in range(self.repeats if s.temperature else 1)]

    def decodings(self) -> dict[str, Sampling]:
        """Name -> sampling; the first is the headline."""
        found = {"greedy": Sampling(temperature=0.0, max_new_tokens=self.max_new_tokens)}
        if self.sampled:
            found["sampled"] = Sampling(temperature=1.0, max_new_tokens=self.max_new_tokens)
        return found


class ReportSettings(Settings):
    """What the page shows."""

    example_sets: int = Field(default=12, ge=0, description="minimal sets to browse")
    trees: int = Field(default=6, ge=0, description="reasoning trees to draw")
    judge_cards: tuple[str, ...] = Field(default=(), description="card.json files of `srpo judge calibrate` to show")


class RunConfig(Settings):
    """A whole run."""

    seed: int = Field(default=0, ge=0, lt=SEEDS)
    model: str = Field(default=EMBEDDED, description="embedded, hf:PATH_OR_NAME or openai:NAME (no training)")
    base_url: str | tuple[str, ...] | None = Field(
        default=None, description="server of an openai: model, or several with the same model"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="auto = as the weights are stored"
    )
    rounds: int = Field(
        default=1, gt=0, description="times to explore, judge and train; a later round explores the last one's model"
    )
    max_rows: int = Field(default=256, gt=0, description="sequences decoded together")
    max_concurrency: int = Field(
        default=32, gt=0, description="requests under way at a time at each server of an openai: model"
    )
    server_timeout_seconds: float = Field(
        default=300,
        gt=0,
        description="for one attempt of a request to an openai: model, its wait in the queue included",
    )
    response_cache: str | None = Field(
        default=None, description="folder that keeps what openai: models replied, for any run; none = keep nothing"
    )
    instruction: str | None = Field(default=None, description="prompt file that follows every request, e.g. six_steps")
    samples: str | None = Field(default=None, description="a samples.jsonl of your own; none = draw the embedded world")
    world: WorldSettings = Field(default_factory=WorldSettings)
    explore: ExploreSettings = Field(default_factory=ExploreSettings)
    judge: JudgeSettings = Field(default_factory=JudgeSettings)
    contrasts: ContrastConfig = Field(default_factory=ContrastConfig)
    train: TrainSettings = Field(default_factory=TrainSettings)
    systems: dict[str, SystemSettings] = Field(default_factory=dict, description="name -> a further model to measure")
    benchmarks: dict[str, BenchmarkSettings] = Field(
        default_factory=dict, description="name of a public benchmark -> its files on this machine"
    )
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)

    @model_validator(mode="after")
    def _numbers_can_be_used(self) -> Self:
        if not 0 <= self.world.seed < SEEDS:
            raise ValueError(f"world.seed: expected 0 to {SEEDS - 1}, got {self.world.seed}")
        for key, value in _not_finite(self.model_dump()):
            raise ValueError(f"{key}: expected a finite number, got {value}")
        return self

    @model_validator(mode="after")
    def _systems_are_known(self) -> Self:
        own = (BASE, TRAINED, REFUSE)
        for name in self.systems:
            if name in own or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                raise ValueError(f"systems: {name!r} cannot be a name; use letters, digits, . _ -, and not {own}")
        for name in self.evaluate.systems:
            if name not in (*own, *self.systems):
                known = ", ".join((*own, *self.systems))
                raise ValueError(f"evaluate.systems: no system {name!r}; choose from {known}, or add it to `systems`")
        return self

    @model_validator(mode="after")
    def _a_judge_votes_once(self) -> Self:
        judges = self.scoring_judges
        if any(judge in judges[:number] for number, judge in enumerate(judges)):
            raise ValueError("evaluate.panel: holds a judge twice, or the one of evaluate.judge; a judge votes once")
        for name, benchmark in self.benchmarks.items():
            if benchmark.judge is not None and benchmark.judge.kind != "model":
                raise ValueError(f"benchmarks.{name}.judge: expected kind model, got {benchmark.judge.kind}")
        return self

    def judges_of(self, benchmark: str) -> tuple[JudgeSettings, ...]:
        """The models that judge a public benchmark."""
        own = self.benchmarks[benchmark].judge
        return (own,) if own else tuple(judge for judge in self.scoring_judges if judge.kind == "model")

    @property
    def scoring_judges(self) -> tuple[JudgeSettings, ...]:
        """The judges of evaluation: one, or a panel."""
        return (self.evaluate.judge or self.judge, *self.evaluate.panel)

    @model_validator(mode="after")
    def _the_labelling_model_does_not_score(self) -> Self:
        if self.judge.kind == "model" and self.evaluate.judge is None:
            raise ValueError("evaluate.judge: the model that labels branches must not score them; name another judge")
        return self


def _not_finite(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _not_finite(value, f"{above}{key}.")
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{above}{key}", value


def recipe_path(given: Path | None) -> Path:
    """The file that is meant: a path, the name of a shipped recipe, or by default the demo's."""
    shipped = Path(__file__).parent / "recipes" / f"{given or 'demo'}.yaml"
    return shipped if given is None or (not given.exists() and shipped.is_file()) else given
