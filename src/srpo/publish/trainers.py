"""Reference paths or requests of a release as data for other trainers, in the formats of `srpo.export`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from srpo.errors import ConfigError, DataError
from srpo.export import FORMATS, Example, Exported, FormatName, Plan, export_examples
from srpo.models.chat import render_messages
from srpo.types import Sample

TrainerKind = Literal["sft", "reward"]
"""Kinds of data that a dataset has: pairs to prefer come from explored branches (`srpo export`)."""

TRAIN: Final = "train"
"""The only split that is written for trainers."""


def kind_of(format: FormatName, kind: TrainerKind | None) -> TrainerKind:
    """The kind that is wanted, or the first that the format has and a dataset can give.

    Raises ConfigError for one that the format does not take.
    """
    possible = [one for one in get_args(TrainerKind) if one in FORMATS[format].kinds]
    if kind is not None and kind not in possible:
        raise ConfigError(f"--kind {kind}: the format {format} takes {', '.join(possible)}")
    return kind or possible[0]


def write_for_trainer(
    samples: Sequence[Sample], out: Path, format: FormatName, kind: TrainerKind
) -> tuple[Plan, Exported]:
    """Write the training samples of a release into its folder `out`, whose pictures the rows name.

    Raises DataError if there is no training sample.
    """
    if not any(sample.split == TRAIN for sample in samples):
        raise DataError(f"--format {format}: no sample is in the split {TRAIN!r}, the only one for trainers")
    # The pictures lie where an export would copy them to, under the same names, so that none is copied twice.
    plan = Plan(format, kind, out, copy_images=format != "verl")
    return plan, export_examples(_examples(samples, out, kind), plan, "the dataset")


def _examples(samples: Sequence[Sample], out: Path, kind: TrainerKind) -> Iterator[Example]:
    for sample in samples:
        if sample.split == TRAIN:
            (message,) = render_messages(sample, out)
            chosen = sample.reference.text if kind == "sft" else None
            yield Example(sample=sample, prompt=message.text, picture=message.images[0].resolve(), chosen=chosen)
