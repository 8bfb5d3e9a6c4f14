"""Pictures of the embedded world as somebody's folder of pictures, with the truth beside it.

    pictures/        PNG files, whose names say nothing
    sources.csv      licences, for `images.table` of `srpo build`
    captions.txt     sentences that a renderer of this world can draw
    truth.jsonl      what is on each picture, found by the hash of its pixels; never shown to a pipeline
    rendered.jsonl   the same for pictures that were drawn later, from captions

Pictures come as twins: same background, same bystanders, one object swapped, so that one of the two is dangerous with
a request and the other is not.  Some are unsafe by themselves (`srpo.world.alone`), and some show nothing that any
request could make dangerous.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from pydantic import Field

from srpo.errors import ConfigError, DataError
from srpo.records import content_id, iterate_records, replacing, seed_of, write_records
from srpo.types import Record
from srpo.world.alone import PAIRS
from srpo.world.dataset import LICENCE
from srpo.world.draw import draw_scene
from srpo.world.knowledge import World, load_world
from srpo.world.language import enumerate_objects, parse, parse_objects, say
from srpo.world.scenes import SLOTS, Scene, place

UNSAFE_SHARE: Final = 0.05
"""Pictures that are unsafe by themselves, for each picture with a hazard."""

PLAIN_SHARE: Final = 0.05
"""Pictures without anything that could be a hazard, for each picture with one."""

ATTRIBUTION: Final = "drawn by srpo; pictograms: Fluent Emoji"

_TWINS_TRIED: Final = 16
"""Objects of which the one that changes the picture least becomes the twin's."""

_COARSE: Final = 8
"""Edge of the picture in which twins are compared."""

_UNFINISHED: Final = re.compile(r"\.(.+)\.\d+\.tmp")
"""Name of a file that a killed process was writing."""

Kind = Literal["hazard", "unsafe", "plain", "rendered"]


class PoolPicture(Record):
    """What is on a picture."""

    record: Literal["pool_picture"] = "pool_picture"
    pixels: str = Field(description="SHA-256 of size and decoded RGB pixels")
    file: str = Field(description="name in the folder of pictures; empty if it was rendered later")
    kind: Kind = Field(description="what it was drawn for")
    objects: tuple[tuple[int, str], ...] = Field(description="slot and name of each object")
    style: int = Field(description="seed of background and places")

    @property
    def scene(self) -> Scene:
        """As the oracle takes it."""
        return Scene(self.objects, self.style)


@dataclass(frozen=True)
class PoolFolder:
    """Names of the files of a pool."""

    path: Path

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def table(self) -> Path:
        return self.path / "sources.csv"

    @property
    def captions(self) -> Path:
        return self.path / "captions.txt"

    @property
    def truth(self) -> Path:
        return self.path / "truth.jsonl"

    @property
    def rendered(self) -> Path:
        return self.path / "rendered.jsonl"


def write_pool(path: Path, sets: int, seed: int) -> list[PoolPicture]:
    """Draw a pool with `sets` pictures that have a hazard, and others beside them; same seed, same bytes.

    Raises ConfigError if `sets` is below 2, DataError if the folder holds other files or a file cannot be written.
    """
    if sets < 2:
        raise ConfigError(f"--sets: expected 2 or more, since pictures come as twins, got {sets}")
    folder, world = PoolFolder(path), load_world()
    pictures: list[PoolPicture] = []
    files: dict[Path, bytes] = {}
    for kind, scene in draw_pool(world, sets, seed):
        pixels = draw_scene(scene)
        key = pixels_sha256(pixels)
        picture = PoolPicture(pixels=key, file=f"{key[:12]}.png", kind=kind, objects=scene.objects, style=scene.style)
        pictures.append(picture)
        files[folder.pictures / picture.file] = png(pixels)
    pictures.sort(key=lambda picture: picture.file)
    files[folder.table] = _table(pictures).encode()
    files[folder.captions] = "".join(f"{caption(world, p.scene)}\n" for p in pictures if p.kind == "hazard").encode()
    _check_place(folder, files)
    for file, data in files.items():
        with replacing(file) as opened:
            opened.write(data)
    write_records(folder.truth, pictures)  # last, so that a pool with its truth is whole
    return pictures


def _check_place(folder: PoolFolder, files: Mapping[Path, bytes]) -> None:
    """Raises DataError if the folder is none, or holds more than this pool or what a stop has left of it."""
    if folder.path.exists() and not folder.path.is_dir():
        raise DataError(f"{folder.path}: is a file; choose another folder")
    for path in sorted(folder.path.rglob("*")):
        whole = path.with_name(_UNFINISHED.sub(r"\1", path.name))
        if whole in files and whole == path:
            ours = path.is_file() and path.read_bytes() == files[path]
        else:
            ours = whole in (folder.pictures, folder.truth, folder.rendered, *files)
        if not ours:
            name = path.relative_to(folder.path).as_posix()
            raise DataError(f"{folder.path}: holds {name!r}, which is not of this pool; choose another folder")


def draw_pool(world: World, sets: int, seed: int) -> Iterator[tuple[Kind, Scene]]:
    """Kinds and scenes of a pool: twins first."""
    rng = random.Random(seed_of("pool", seed))
    keys = [name for name in world.objects if world.attribute[name] is not None]
    order: list[str] = []
    for _ in range((sets + 1) // 2):
        order = order or rng.sample(keys, len(keys))  # every object is as frequent as any other
        scene = place([order.pop(), *_bystanders(world, rng)], 1, rng)
        yield "hazard", scene
        yield "hazard", _twin(world, scene, rng)
    pairs = list(PAIRS)
    for number in range(max(1, round(UNSAFE_SHARE * sets))):
        both = [rng.choice(world.objects_with(attribute)) for attribute in pairs[number % len(pairs)]]
        yield "unsafe", place([*both, *_bystanders(world, rng)[:1]], 1, rng)
    for _ in range(max(1, round(PLAIN_SHARE * sets))):
        yield "plain", place(_bystanders(world, rng), 1, rng)


def read_pool(path: Path) -> dict[str, PoolPicture]:
    """Hash of pixels -> picture, rendered ones included.  Raises DataError if there is no pool."""
    folder = PoolFolder(path)
    if not folder.truth.exists():
        raise DataError(f"{path}: has no {folder.truth.name}; draw a pool with: srpo world pool {path}")
    files = [folder.truth, *([folder.rendered] if folder.rendered.exists() else [])]
    return {picture.pixels: picture for file in files for picture in iterate_records(file, PoolPicture)}


def caption(world: World, scene: Scene) -> str:
    """The world's sentence about a picture."""
    return say("visual", "scene", {"objects": enumerate_objects(scene.names)})


def scene_of_caption(text: str) -> Scene | None:
    """The picture that a renderer draws for a sentence, always the same one; none if it is no caption of this world."""
    claim = parse("visual", text.strip())
    names = parse_objects(claim.slots["objects"]) if claim else None
    if not names or len(names) > SLOTS or len(set(names)) < len(names):
        return None
    return place(list(names), len(names), random.Random(seed_of("caption", text.strip())))


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Hash of a picture [H, W, 3], whatever file it is kept in."""
    return hashlib.sha256(str(pixels.shape[:2]).encode() + pixels.tobytes()).hexdigest()


def hash_picture(data: bytes) -> str:
    """The same of an encoded picture.  Raises what Pillow raises for bytes that are no picture."""
    with PILImage.open(io.BytesIO(data)) as image:
        return pixels_sha256(np.asarray(image.convert("RGB")))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An ordinary PNG file."""
    file = io.BytesIO()
    PILImage.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def pool_id(pictures: dict[str, PoolPicture]) -> str:
    """Changes with what was drawn; pictures rendered later do not count."""
    return content_id(sorted(key for key, picture in pictures.items() if picture.kind != "rendered"))


def _bystanders(world: World, rng: random.Random) -> list[str]:
    neutral = [name for name in world.objects if world.attribute[name] is None]
    return rng.sample(neutral, rng.choice((1, 2, 2)))


def _twin(world: World, scene: Scene, rng: random.Random) -> Scene:
    """The same scene with its key object swapped for one of other dangers, and as little else as can be."""
    key = next(name for name in scene.names if world.attribute[name] is not None)
    others = [n for n in world.objects if world.attribute[n] not in (None, world.attribute[key])]
    twins = [scene.swap(key, name) for name in rng.sample(others, _TWINS_TRIED)]
    first = _coarse(scene)
    return min(twins, key=lambda twin: float(((_coarse(twin) - first) ** 2).sum()))


def _coarse(scene: Scene) -> NDArray[np.float64]:
    grey = PILImage.fromarray(draw_scene(scene)).convert("L")
    return np.asarray(grey.resize((_COARSE, _COARSE), PILImage.Resampling.BOX), dtype=np.float64)


def _table(pictures: list[PoolPicture]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("file", "licence", "attribution"))
    writer.writerows((picture.file, LICENCE, ATTRIBUTION) for picture in pictures)
    return file.getvalue()
