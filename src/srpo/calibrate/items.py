"""Labelled responses as items that a judge can be asked about."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image as PILImage

from srpo.benchmarks.pictures import Pictures
from srpo.calibrate.human import HumanLabel, LabelFile
from srpo.errors import DataError
from srpo.judge.base import JudgeItem
from srpo.records import content_id, file_sha256, replacing
from srpo.steps import ANSWER, MARKERS, answer, split
from srpo.types import Image, Provenance, ReasoningPath, Sample, Step

BLANK_SIZE: Final = (64, 64)
"""Pixels of the picture that stands in where an item has none: a judge is always shown one."""


def judge_items(file: LabelFile, images: Path | None, folder: Path) -> list[JudgeItem]:
    """One item per row of the file, in order; the whole response is the answer to be judged.

    Pictures are looked up under `images`, or beside the file.  A row without a picture gets a blank one, which is
    written to `folder`.  Raises DataError if pictures are missing, or if the file has no responses.
    """
    if not any(row.response.strip() for row in file.rows):
        raise DataError(f"{file.path}: column response is missing or empty; a judge needs the text it judges")
    pictures = Pictures([images] if images else [file.path.parent, file.path.parent / "images"], check=True)
    paths = {name: pictures.find(name, f"{file.path.name}, item {row.id}") for row in file.rows if (name := row.image)}
    pictures.check_missing(file.path)
    return [_item(row, paths, folder) for row in file.rows]


def with_subject(item: JudgeItem, variant: str) -> JudgeItem:
    """The item under an id made of all that a judge sees of it, so that a stored verdict is never of another text."""
    seen = item.sample.model_dump(mode="json")
    if seen["image"] is not None:
        seen["image"].pop("path")
    return item.model_copy(update={"subject": content_id(variant, seen, item.text)})


def as_answer(response: str) -> str:
    """A text whose final answer is the whole response; the response itself if its own marker lines forbid that."""
    text = f"{MARKERS[ANSWER]} {response}"
    return text if answer(split(text)) == response.strip() else response


def blank_image(folder: Path, width: int, height: int) -> Image:
    """A white picture of this size in pixels, written to `folder` if it is not there yet."""
    path = (folder / f"blank-{width}x{height}.png").absolute()
    if not path.exists():
        with replacing(path) as file:
            PILImage.new("RGB", (width, height), "white").save(file, format="PNG")
    return image_record(path)


@lru_cache(maxsize=4096)
def image_record(path: Path) -> Image:
    """Size and hash of a picture file."""
    with PILImage.open(path) as picture:
        width, height = picture.size
    return Image(path=str(path), sha256=file_sha256(path), width=width, height=height)


def _item(row: HumanLabel, paths: Mapping[str, str], folder: Path) -> JudgeItem:
    reference = (Step(name=ANSWER, text=f"{MARKERS[ANSWER]} {row.reference}"),) if row.reference else ()
    sample = Sample(
        id=row.id,
        split="calibration",
        group=row.cluster,
        cell="hazard",  # the same for all: what people say of the response is not known here
        image=image_record(Path(paths[row.image])) if row.image else blank_image(folder, *BLANK_SIZE),
        question=row.question,
        category=None,
        hypothesis=row.hypothesis,
        reference=ReasoningPath(steps=reference),
        unsafe_reply=None,
        licence="as the file of labels",
        provenance=Provenance(producer="model", source="file of labels"),
    )
    return JudgeItem(subject=row.id, sample=sample, folder=folder, part="answer", text=as_answer(row.response))
