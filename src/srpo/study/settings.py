"""What a study is made of: bases, seeds, methods with their learning rates, and ablations.  One YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from srpo.config import Settings, load_config
from srpo.errors import ConfigError
from srpo.run_config import RunConfig

EMBEDDED_BASE: Final = "shipped"
"""Name of the base that comes with the package; the others are made by `srpo world pretrain`."""

Trainer = Literal["none", "own", "rounds", "dpo", "kto", "grpo"]
Purpose = Literal["sweep", "test", "ablation"]
"""What a run is for.

sweep: measured on the development splits, to choose by; test: on all splits of the tables; ablation, which points over
updates are too: on the first of these alone.
"""


RATES: Final = "rates"
METHODS: Final = "methods"
UPDATES: Final = "updates"
"""Names of the parts of a study that are no ablations."""


class Teaching(Settings):
    """What a method is taught, out of the trees that all methods of a base and seed share."""

    target: Literal["references", "answers", "favourable"] = Field(
        default="references", description="text to imitate: the reference path, its reply alone, or favourable branches"
    )
    whole_paths: bool = Field(default=False, description="contrasts over prefix and branch, not over the branch alone")
    chosen: Literal["sampled", "reference", "both"] = Field(
        default="sampled", description="favourable side of a contrast: a sampled branch, or the rest of the reference"
    )
    label: Literal["reply", "path", "safety"] = Field(
        default="reply",
        description="what must be right in a favourable branch: its reply, reasoning too, or the reply's safety alone",
    )
    parting: bool = Field(default=False, description="branches end with the step in which the two sides part")
    wrong_references: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the hazard cells that have a bad path of the base as reference",
    )
    drop_wrong: bool = Field(
        default=False, description="leave out wrong references: the judge has labelled the same text as a branch"
    )
    benign_share: float = Field(default=1.0, ge=0, le=1, description="of the harmless cells that are kept")

    @model_validator(mode="after")
    def _what_is_dropped_is_wrong(self) -> Self:
        if self.drop_wrong and not self.wrong_references:
            raise ValueError("drop_wrong without wrong_references would drop nothing; set a share of wrong references")
        return self


class Method(Settings):
    """A way to make a model out of a base."""

    label: str
    trainer: Trainer = Field(description="none = nothing is trained; own = one round; dpo, kto, grpo = those of TRL")
    run: dict[str, Any] = Field(default_factory=dict, description="settings of the run that differ from the study's")
    teaching: Teaching = Teaching()
    trl: dict[str, Any] = Field(default_factory=dict, description="settings of TRL's trainer")
    rate_of: str = Field(default="", description="method whose learning rate it takes, without a sweep of its own")
    samples: bool = Field(default=False, description="whether it uses the sampled branches, which then count as cost")

    @property
    def tuned(self) -> bool:
        """Whether a learning rate must be chosen."""
        return self.trainer != "none"


class Ablation(Settings):
    """Variants of methods; each is a mapping that is laid over the method's own settings."""

    title: str
    methods: tuple[str, ...] = Field(min_length=1)
    variants: dict[str, dict[str, Any]] = Field(min_length=1)
    seeds: tuple[int, ...] = (0, 1, 2)
    development: bool = Field(
        default=False, description="on splits and seeds of the sweep, to choose by; else on the first split"
    )


class Sweep(Settings):
    """How learning rates are chosen: the same few for every method, on splits that no table shows."""

    rates: tuple[float, ...] = (1e-5, 3e-5, 1e-4, 3e-4)
    seeds: tuple[int, ...] = (100,)
    splits: tuple[str, ...] = ("val", "dev_rules")


class Elsewhere(Settings):
    """What is run on the bases after the first."""

    methods: tuple[str, ...] = Field(default=(), description="all if empty")
    seeds: tuple[int, ...] = Field(default=(), description="all if empty")


class Curve(Settings):
    """Methods over numbers of updates."""

    methods: tuple[str, ...] = ()
    updates: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)


class StudySettings(Settings):
    """A whole study."""

    title: str
    run: dict[str, Any] = Field(description="settings that all runs share")
    bases: dict[str, dict[str, Any]] = Field(
        default={EMBEDDED_BASE: {}}, min_length=1, description="name -> settings of `srpo world pretrain`"
    )
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    updates: int = Field(default=200, gt=0)
    splits: tuple[str, ...] = Field(
        min_length=1,
        description="that the tables show; the first decides the verdict, and is the only one of ablations",
    )
    sweep: Sweep = Sweep()
    methods: dict[str, Method] = Field(min_length=1)
    elsewhere: Elsewhere = Elsewhere()
    against: tuple[str, ...] = Field(
        default=("srpo",), min_length=1, description="methods that all others are compared with, a table for each"
    )
    curve: Curve = Curve()
    ablations: dict[str, Ablation] = Field(default_factory=dict)
    guess_seconds: float = Field(default=420, gt=0, description="of a run, before one of its method has been measured")

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        named = [*self.against, *self.curve.methods, *(m for a in self.ablations.values() for m in a.methods)]
        named += [*self.elsewhere.methods, *(method.rate_of for method in self.methods.values() if method.rate_of)]
        for name in named:
            if name not in self.methods:
                raise ValueError(f"no method {name!r}; methods: {', '.join(self.methods)}")
        for name in (RATES, METHODS, UPDATES):
            if name in self.ablations:
                raise ValueError(f"an ablation cannot be called {name!r}, as a part of every study is; rename it")
        return self

    def splits_of(self, purpose: Purpose) -> tuple[str, ...]:
        """The splits that a run is measured on."""
        return {"sweep": self.sweep.splits, "test": self.splits, "ablation": self.splits[:1]}[purpose]

    def method(self, name: str, ablation: str = "", variant: str = "") -> Method:
        """A method, with a variant of an ablation laid over it.

        Raises ConfigError if the result is not a method.
        """
        method = self.methods[name]
        if not ablation:
            return method
        changed = merge(method.model_dump(), self.ablations[ablation].variants[variant])
        try:
            return Method.model_validate(changed)
        except ValueError as error:
            raise ConfigError(f"ablations.{ablation}.variants.{variant}: {error}; mend the study's file") from None


def load_study(name: str | Path) -> StudySettings:
    """The settings of a study: a file, or the name of one that is shipped.  Raises ConfigError."""
    shipped = Path(__file__).parent / f"{name}.yaml"
    study = load_config(shipped if shipped.is_file() else Path(name), [], StudySettings)
    for method in study.methods.values():
        RunConfig.model_validate(merge(study.run, method.run))
    return study


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping laid over another; mappings inside are laid over each other too."""
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
