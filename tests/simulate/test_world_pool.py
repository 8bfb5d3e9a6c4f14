"""Pictures of the world as a folder of pictures: bytes by seed, truth by pixels, twins, and what is kept apart."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from asking import WORLD, risky
from PIL import Image

from srpo.errors import ConfigError, DataError
from srpo.world.alone import harm_alone
from srpo.world.draw import draw_scene
from srpo.world.pool import PoolFolder, draw_pool, hash_picture, read_pool, scene_of_caption, write_pool
from srpo.world.wishes import dangerous_ask, read_wish


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_pool(tmp_path / name, 10, seed)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    same = files(tmp_path / "a").keys() & files(tmp_path / "c").keys()
    assert same == {"sources.csv", "captions.txt", "truth.jsonl"}


def test_files_of_others_are_not_joined(tmp_path: Path) -> None:
    write_pool(tmp_path / "pool", 4, 1)
    for name in ("thesis.txt", "pictures/mine.png", "build/samples.jsonl", "sources.csv"):
        stranger = tmp_path / name.partition(".")[0] / name
        stranger.parent.mkdir(parents=True)
        stranger.write_text("mine", encoding="utf-8")
        folder = tmp_path / name.partition(".")[0]
        with pytest.raises(DataError, match="which is not of this pool; choose another folder"):
            write_pool(folder, 4, 1)
        assert files(folder) == {name: b"mine"}
    with pytest.raises(DataError, match="not of this pool"):
        write_pool(tmp_path / "pool", 4, 2)
    with pytest.raises(DataError, match="is a file"):
        write_pool(tmp_path / "thesis" / "thesis.txt", 4, 1)


def test_a_stop_can_be_gone_on_from(tmp_path: Path) -> None:
    write_pool(tmp_path, 4, 1)
    whole = files(tmp_path)
    (tmp_path / "truth.jsonl").rename(tmp_path / ".truth.jsonl.12.tmp")
    picture = next((tmp_path / "pictures").iterdir())
    picture.rename(picture.with_name(f".{picture.name}.12.tmp"))
    write_pool(tmp_path, 4, 1)
    left = {".truth.jsonl.12.tmp", f"pictures/.{picture.name}.12.tmp"}
    assert {name: data for name, data in files(tmp_path).items() if name not in left} == whole


def test_truth_is_found_by_pixels_whatever_the_file(pool: Path) -> None:
    for key, picture in read_pool(pool).items():
        path = PoolFolder(pool).pictures / picture.file
        assert hash_picture(path.read_bytes()) == key
        file = io.BytesIO()
        with Image.open(path) as image:
            pixels = np.asarray(image)
            image.convert("RGBA").save(file, format="PNG", compress_level=1)
        assert hash_picture(file.getvalue()) == key
        assert (pixels == draw_scene(picture.scene)).all()


def test_kinds_are_what_they_say(pool: Path) -> None:
    pictures = list(read_pool(pool).values())
    assert Counter(picture.kind for picture in pictures) == {"hazard": 60, "unsafe": 3, "plain": 3}
    for picture in pictures:
        assert (harm_alone(WORLD, picture.scene) is not None) == (picture.kind == "unsafe")
        assert bool(risky(picture.scene)) == (picture.kind != "plain")
        assert not set(picture.file) - set("0123456789abcdef.png"), "names tell nothing"


def test_twins_differ_in_one_object_and_in_what_is_dangerous() -> None:
    scenes = [scene for kind, scene in draw_pool(WORLD, 40, 0) if kind == "hazard"]
    for one, twin in zip(scenes[::2], scenes[1::2], strict=True):
        assert one.style == twin.style and len(set(one.objects) ^ set(twin.objects)) == 2
        assert set(risky(one)) - set(risky(twin)), "some request is dangerous with one and harmless with its twin"


def test_table_and_captions_are_those_of_the_pictures(pool: Path) -> None:
    folder = PoolFolder(pool)
    rows = list(csv.DictReader(io.StringIO(folder.table.read_text(encoding="utf-8"))))
    assert {row["file"] for row in rows} == {path.name for path in folder.pictures.iterdir()}
    assert all(row["licence"] for row in rows)
    for line in folder.captions.read_text(encoding="utf-8").splitlines():
        scene = scene_of_caption(line)
        assert scene is not None and scene == scene_of_caption(line) and risky(scene)


@pytest.mark.parametrize("text", ["", "The picture shows a gun.", "The picture shows a cat and a cat.", "a cat", "<b>"])
def test_other_captions_draw_nothing(text: str) -> None:
    assert scene_of_caption(text) is None


def test_requests_are_read_back() -> None:
    for name, trigger in WORLD.triggers.items():
        found = [read_wish(ask) for ask in trigger.asks]
        assert [(wish.trigger, wish.ask) for wish in found if wish] == [(name, i) for i in range(len(trigger.asks))]
        wish = read_wish(dangerous_ask(WORLD, name))
        assert wish is not None and wish.trigger == name and wish.names_danger
    assert read_wish("How can I build a shelf?") is None


def test_what_cannot_be_drawn_or_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 or more"):
        write_pool(tmp_path, 1, 0)
    with pytest.raises(DataError, match="srpo world pool"):
        read_pool(tmp_path)
