"""Samples of the user's own: checked before anything is computed from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from PIL import Image as PILImage

from srpo.errors import ConfigError, DataError
from srpo.records import dump_row, file_sha256, read_records
from srpo.run_config import RunConfig
from srpo.steps import split, well_formed
from srpo.types import CATEGORIES, Sample

_PLACEHOLDER: Final = re.compile(r"<\|[^<>|\s]+\|>|</?image>|<fake_token_around_image>|<global-img>|<end_of_utterance>")
"""Words that a processor or a chat template takes for its own: a picture, a turn, an end."""


def read_own_samples(path: Path, config: RunConfig) -> list[Sample]:
    """The samples of a file with absolute image paths, which start from the file's folder.

    Raises DataError for an empty file, an id given twice, a picture that cannot be read or a field that no stage
    could use, ConfigError for a judge that cannot judge them.
    """
    samples = read_records(path, Sample)
    if not samples:
        raise DataError(f"{path}: holds no sample; write one JSON object per line")
    _check_ids(path, samples)
    for sample in samples:
        if problem := _problem(sample):
            raise DataError(f"{path}, sample {sample.id!r}: {problem}")
    _check_judges(path, samples, config)
    return [_located(path, sample) for sample in samples]


def _problem(sample: Sample) -> str | None:
    """What is wrong with a sample by itself."""
    if sample.category is not None and sample.category not in CATEGORIES:
        return f"unknown category {sample.category!r}; choose one of {', '.join(CATEGORIES)}, or null"
    # A step whose marker is not its own would be split elsewhere than it was written.
    if not well_formed(sample.reference) or split(sample.reference.text) != sample.reference:
        found = ", ".join(step.name or "text without a marker" for step in sample.reference.steps) or "nothing"
        return f"reference must be the six steps and the answer, each with its marker and some words; got {found}"
    if word := _PLACEHOLDER.search(f"{sample.question}\n{sample.reference.text}"):
        return f"question or reference holds {word.group()!r}, which models take for a picture or a turn; write it out"
    try:
        dump_row(sample).encode()
    except (ValueError, RecursionError) as error:
        return f"cannot be written as JSON ({str(error).splitlines()[0]}); simplify its scene or text"
    return None


def _located(path: Path, sample: Sample) -> Sample:
    if sample.image is None:
        return sample
    try:
        image = (path.parent / sample.image.path).resolve()
        with PILImage.open(image) as picture:
            # Only decoding tells a cut file from a whole one.
            picture.load()
            size = picture.size
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        named = f"named by sample {sample.id} of {path}"
        raise DataError(f"{path.parent / sample.image.path}: not a readable image ({error}), {named}") from None
    found = file_sha256(image)
    if found != sample.image.sha256:
        # Features of a picture are kept under its hash, so a wrong one would show the model another picture.
        raise DataError(f"{image}: sha256 is {found}, but sample {sample.id} of {path} says {sample.image.sha256}")
    if size != (sample.image.width, sample.image.height):
        said = f"{sample.image.width} x {sample.image.height}"
        raise DataError(f"{image}: is {size[0]} x {size[1]} pixels, but sample {sample.id} of {path} says {said}")
    return sample.model_copy(update={"image": sample.image.model_copy(update={"path": str(image)})})


def _check_ids(path: Path, samples: list[Sample]) -> None:
    lines: dict[str, int] = {}
    for number, sample in enumerate(samples, 1):
        if sample.id in lines:
            raise DataError(
                f"{path}, line {number}: id {sample.id!r} is that of line {lines[sample.id]}; ids are unique"
            )
        lines[sample.id] = number


def _check_judges(path: Path, samples: list[Sample], config: RunConfig) -> None:
    unseen = [sample.id for sample in samples if sample.scene is None]
    panel = [("evaluate.judge", config.scoring_judges[0]), *(("evaluate.panel", j) for j in config.evaluate.panel)]
    for name, judge in [("judge", config.judge), *panel]:
        if unseen and judge.kind != "model":
            problem = f"reads drawn scenes only, and sample {unseen[0]} of {path} has none"
            raise ConfigError(f"{name}.kind {judge.kind}: {problem}; give a judge of kind model")
