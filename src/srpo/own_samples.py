"""Samples of the user's own: checked before anything is computed from them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image as PILImage

from srpo.errors import ConfigError, DataError
from srpo.records import file_sha256, read_records
from srpo.run_config import RunConfig
from srpo.types import Sample


def read_own_samples(path: Path, config: RunConfig) -> list[Sample]:
    """The samples of a file with absolute image paths, which start from the file's folder.

    Raises DataError for an empty file, an id given twice or a picture that cannot be read, ConfigError for a judge
    that cannot judge them.
    """
    samples = read_records(path, Sample)
    if not samples:
        raise DataError(f"{path}: holds no sample; write one JSON object per line")
    _check_ids(path, samples)
    _check_judges(path, samples, config)
    return [_located(path, sample) for sample in samples]


def _located(path: Path, sample: Sample) -> Sample:
    image = (path.parent / sample.image.path).resolve()
    try:
        with PILImage.open(image) as picture:
            # Only decoding tells a cut file from a whole one.
            picture.load()
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{image}: not a readable image ({error}), named by sample {sample.id} of {path}") from None
    found = file_sha256(image)
    if found != sample.image.sha256:
        # Features of a picture are kept under its hash, so a wrong one would show the model another picture.
        raise DataError(f"{image}: sha256 is {found}, but sample {sample.id} of {path} says {sample.image.sha256}")
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
    judges = {"judge": config.judge, "evaluate.judge": config.evaluate.judge or config.judge}
    for name, judge in judges.items():
        if unseen and judge.kind != "model":
            problem = f"reads drawn scenes only, and sample {unseen[0]} of {path} has none"
            raise ConfigError(f"{name}.kind {judge.kind}: {problem}; give a judge of kind model")
