"""Probes of the request: the same sample with another picture or in other words.

    blank        a grey picture
    swapped      the picture of another minimal set
    shuffled     the picture cut into 4 x 4 tiles in another order
    caption      a grey picture, and what the picture shows in words before the request
    paraphrase   the request in other words

The answer is still judged against the sample itself: a system that goes by the picture should get worse without it,
and no system should mind other words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

from srpo.models.base import Message
from srpo.models.chat import render_messages
from srpo.pictures import picture_of
from srpo.probes.pictures import blank, open_picture, shuffled, store
from srpo.records import file_sha256, seed_of
from srpo.types import PICTURE_PROBES, Image, Probe, Sample


def probe_messages(  # noqa: PLR0913 - all that a changed request is made of
    probe: Probe,
    sample: Sample,
    samples: Sequence[Sample],
    folder: Path,
    *,
    instruction: str | None,
    seed: int,
    pictures: Path,
) -> tuple[Message, ...] | None:
    """The changed request, or none if there is none: no caption or paraphrase, no picture, no other or too small a one.

    `samples` are all of the evaluation, also where only a part is answered: the picture of `swapped` is one of theirs.
    `folder` is where their image paths start from.  Changed pictures are written into the folder `pictures`, once each.
    What is drawn hangs on the seed, the probe and the sample's id.

    Raises DataError if a picture cannot be read or written, ValueError for a probe of the path.
    """
    rng = random.Random(seed_of("probe", probe, seed, sample.id))
    if probe in PICTURE_PROBES and sample.image is None:
        return None
    match probe:
        case "blank":
            changed = _with_image(sample, _blank(sample, pictures))
        case "swapped":
            changed = _with_image(sample, _other_image(sample, samples, rng))
        case "shuffled":
            changed = _with_image(sample, _shuffled(sample, folder, rng, pictures))
        case "caption":
            changed = _with_image(_captioned(sample), _blank(sample, pictures)) if sample.caption else None
        case "paraphrase":
            changed = _paraphrased(sample, rng)
        case _:
            raise ValueError(f"probe {probe!r} changes the path and not the request; use faithful_requests for it")
    return None if changed is None else render_messages(changed, folder, instruction)


def _blank(sample: Sample, pictures: Path) -> Image:
    return _image(sample, store(blank((picture_of(sample).width, picture_of(sample).height)), pictures))


def _other_image(sample: Sample, samples: Sequence[Sample], rng: random.Random) -> Image | None:
    """The first other picture of another minimal set, from a drawn place on."""
    start = rng.randrange(len(samples)) if samples else 0
    for other in chain(islice(samples, start, None), islice(samples, start)):
        found = other.image
        if found is not None and other.group != sample.group and found.sha256 != picture_of(sample).sha256:
            return found
    return None


def _shuffled(sample: Sample, folder: Path, rng: random.Random, pictures: Path) -> Image | None:
    picture = shuffled(open_picture(folder / picture_of(sample).path), rng)
    return None if picture is None else _image(sample, store(picture, pictures))


def _paraphrased(sample: Sample, rng: random.Random) -> Sample | None:
    others = [words for words in sample.paraphrases if words != sample.question]
    return sample.model_copy(update={"question": rng.choice(others)}) if others else None


def _captioned(sample: Sample) -> Sample:
    return sample.model_copy(update={"question": f"{sample.caption}\n\n{sample.question}"})


def _with_image(sample: Sample, image: Image | None) -> Sample | None:
    return None if image is None else sample.model_copy(update={"image": image})


def _image(sample: Sample, path: Path) -> Image:
    # Absolute, since the sample's path starts from another folder.
    update = {"path": str(path.absolute()), "sha256": file_sha256(path)}
    return picture_of(sample).model_copy(update=update)
