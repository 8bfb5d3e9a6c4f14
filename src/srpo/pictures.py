"""Whether samples have pictures, for what cannot do without them."""

from __future__ import annotations

from collections.abc import Iterable

from srpo.errors import DataError
from srpo.types import Image, Sample


def picture_of(sample: Sample) -> Image:
    """The image of a sample.  Raises DataError if its context stands in words."""
    if sample.image is None:
        raise DataError(f"sample {sample.id}: has no picture, which is needed here; leave samples without one out")
    return sample.image


def any_picture(samples: Iterable[Sample]) -> bool:
    """Whether one of the samples has a picture; reads no further than the first that has."""
    return any(sample.image is not None for sample in samples)
