"""Pictures: found where they may be, never elsewhere, and looked at by content."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from mild_files import MSTS, SIUO, VLSBENCH, write, write_picture, write_rows
from PIL import Image

from srpo.benchmarks import BENCHMARKS
from srpo.benchmarks.pictures import MAX_PIXELS
from srpo.errors import DataError


def load(folder: Path, images: Path | None = None, *, name: str = "siuo", check_images: bool = True):
    return BENCHMARKS[name].load(folder, images, check_images=check_images)


def only(folder: Path, image: str, number: int = 7) -> Path:
    return write_rows(folder / "siuo_gen.json", [{**SIUO[0], "question_id": number, "image": image}])


def test_missing_pictures_are_counted_and_the_first_is_named(tmp_path):
    write(tmp_path, "siuo")
    (tmp_path / "images/8.png").unlink()
    (tmp_path / "images/9.png").unlink()
    with pytest.raises(DataError, match=r"2 of the 3 pictures .* the first is '8\.png' \(siuo_gen\.json, row 2\)"):
        load(tmp_path)
    items = load(tmp_path, check_images=False)
    assert [Path(item.images[0]).name for item in items] == ["7.png", "8.png", "9.png"]
    assert [Path(item.images[0]).is_file() for item in items] == [True, False, False]


def test_a_folder_may_be_named_or_lie_beside_the_file(tmp_path):
    path = write_rows(tmp_path / "data/data.json", VLSBENCH[:1])
    write_picture(tmp_path / "imgs/0.png")
    for images in (tmp_path, tmp_path / "imgs"):  # the file names it imgs/0.png
        assert load(path, images, name="vlsbench")[0].images == (str(tmp_path / "imgs/0.png"),)
    with pytest.raises(DataError, match="missing"):
        load(path, name="vlsbench")


@pytest.mark.parametrize("image", ["../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\out.png", "a\0.png"])
def test_a_name_that_leads_out_is_refused(image, tmp_path):
    write_picture(tmp_path / "out.png")
    folder = tmp_path / "in"
    only(folder, image)
    for check_images in (True, False):
        with pytest.raises(DataError, match="not a plain path"):
            load(folder, check_images=check_images)


def test_a_link_out_is_refused_and_one_inside_is_not(tmp_path):
    outside = write_picture(tmp_path / "out.png")
    folder = tmp_path / "in"
    only(folder, "7.png")
    folder.joinpath("7.png").symlink_to(outside)
    with pytest.raises(DataError, match="is a link out of"):
        load(folder)
    folder.joinpath("7.png").unlink()
    folder.joinpath("7.png").symlink_to(write_picture(folder / "other.png"))
    assert len(load(folder)) == 1


def test_content_counts_and_not_the_ending(tmp_path):
    only(tmp_path, "7.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "7.png", format="WEBP")
    assert len(load(tmp_path)) == 1
    (tmp_path / "7.png").write_text("<svg/>")
    with pytest.raises(DataError, match=r"7\.png \(siuo_gen\.json, row 1\): not a readable picture"):
        load(tmp_path)
    (tmp_path / "7.png").write_bytes(b"")
    with pytest.raises(DataError, match="not a readable picture"):
        load(tmp_path)


def test_a_damaged_picture_is_refused(tmp_path):
    only(tmp_path, "7.png")
    data = bytearray(write_picture(tmp_path / "7.png", (40, 40)).read_bytes())
    data[data.index(b"IDAT") + 6] ^= 255
    (tmp_path / "7.png").write_bytes(data)
    with pytest.raises(DataError, match="not a readable picture"):
        load(tmp_path)


@pytest.mark.parametrize("side", [8_193, 60_000])
def test_a_picture_that_would_fill_the_memory_is_refused_unopened(side, tmp_path):
    assert side * side > MAX_PIXELS
    only(tmp_path, "7.png")
    data = write_picture(tmp_path / "7.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    (tmp_path / "7.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    with pytest.raises(DataError, match=r"more than \d+ pixels"):
        load(tmp_path)


def test_a_name_without_ending_is_completed(tmp_path):
    write_rows(tmp_path / "prompts_english_multimodal.csv", MSTS)
    write_picture(tmp_path / "p/image_0.jpg")
    write_picture(tmp_path / "p/image_1.webp")
    found = {Path(item.images[0]).name for item in load(tmp_path, tmp_path / "p", name="msts")}
    assert found == {"image_0.jpg", "image_1.webp"}
