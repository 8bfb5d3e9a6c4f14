"""One picture into the dataset: kept as it is, changed, or refused by name."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import draw, encode, png, take_picture
from PIL import Image as PILImage

from srpo.data.config import ImageSettings
from srpo.data.near import bits_between
from srpo.data.pictures import PictureRefused, open_picture, perceptual_hash, pixel_hash
from srpo.errors import ConfigError
from srpo.records import file_sha256

ANY = ImageSettings()
EXIF = PILImage.Exif()
EXIF[0x0112], EXIF[0x010F] = 6, "Maker"
EXIF.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})


def pixels(data: bytes, given_settings: ImageSettings = ANY) -> np.ndarray:
    return np.asarray(open_picture(data, "x", given_settings).pixels)


def refusal(data: bytes, given_settings: ImageSettings = ANY) -> str:
    with pytest.raises(PictureRefused) as caught:
        open_picture(data, "dir/some name.png", given_settings)
    assert "'dir/some name.png'" in caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_an_ordinary_picture_keeps_its_bytes_whatever_its_name(tmp_path, kind, ending):
    data = encode(draw(1), kind)
    taken = take_picture(data, "holiday.gif", ANY, tmp_path)
    stored = tmp_path / taken.image.path
    assert stored.read_bytes() == data and taken.changes == ()
    assert taken.image.path == f"images/{taken.image.sha256[:16]}.{ending}"
    assert taken.image.sha256 == file_sha256(stored)
    assert (taken.image.width, taken.image.height) == (96, 64)
    assert [path.name for path in (tmp_path / "images").iterdir()] == [stored.name]


def test_near_pictures_have_near_hashes_and_others_have_not(tmp_path):
    one, same, other = (
        take_picture(data, "x", ANY, tmp_path).phash
        for data in (encode(draw(1), "PNG"), encode(draw(1), "JPEG", quality=60), encode(draw(2), "PNG"))
    )
    assert len(one) == 16
    assert bits_between(one, same) <= 4 < 12 < bits_between(one, other)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(tmp_path, orientation):
    upright = draw(3)
    # What the camera stores so that a viewer which obeys the tag shows `upright`.
    undo = {
        2: PILImage.Transpose.FLIP_LEFT_RIGHT,
        3: PILImage.Transpose.ROTATE_180,
        4: PILImage.Transpose.FLIP_TOP_BOTTOM,
        5: PILImage.Transpose.TRANSPOSE,
        6: PILImage.Transpose.ROTATE_90,
        7: PILImage.Transpose.TRANSVERSE,
        8: PILImage.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = PILImage.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker of cameras"
    data = encode(stored, "PNG", exif=exif)
    taken = take_picture(data, "x.png", ANY, tmp_path)
    with PILImage.open(tmp_path / taken.image.path) as image:
        assert np.array_equal(np.asarray(image), np.asarray(upright))
        assert image.getexif().get(0x0112, 1) == 1
        assert not dict(image.getexif()) and not image.info
    assert taken.changes == ("rotated by EXIF" if orientation > 1 else "metadata dropped",)


def test_broken_exif_is_dropped_and_the_picture_stays(tmp_path):
    data = encode(draw(3), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff" * 4)
    taken = take_picture(data, "x.jpg", ANY, tmp_path)
    assert taken.changes == ("unreadable EXIF dropped",)
    with PILImage.open(tmp_path / taken.image.path) as image:
        assert image.size == (96, 64) and not image.info


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF"])
def test_other_formats_become_png(tmp_path, kind):
    image = draw(4).quantize(16) if kind == "GIF" else draw(4)
    taken = take_picture(encode(image, kind), "x", ANY, tmp_path)
    assert taken.image.path.endswith(".png") and taken.changes
    with PILImage.open(tmp_path / taken.image.path) as stored:
        assert (stored.format, stored.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(stored), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "PNG"), ("1", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG")]
)
def test_kinds_of_colour_become_rgb(mode, kind):
    image = draw(5).convert(mode)
    picture = open_picture(encode(image, kind, **({"quality": 95} if kind == "JPEG" else {})), "x", ANY)
    assert picture.pixels.mode == "RGB" and picture.ending == "png"
    assert picture.changes == (f"{mode} to RGB",)
    far = np.abs(np.asarray(picture.pixels).astype(int) - np.asarray(image.convert("RGB")).astype(int))
    assert far.mean() < (4 if kind == "JPEG" else 0.01)


def test_transparency_lies_over_white():
    image = draw(6, mode="RGBA")
    image.putalpha(PILImage.linear_gradient("L").resize(image.size))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image.putpixel((2, 0), (0, 0, 0, 51))
    for kind in ("PNG", "TIFF"):
        picture = open_picture(encode(image, kind), "x", ANY)
        assert picture.changes == ("transparency over white",)
        found = [tuple(map(int, np.asarray(picture.pixels)[0, x])) for x in range(3)]
        assert found == [(255, 255, 255), (0, 0, 0), (204, 204, 204)]


def test_a_palette_and_a_colour_that_are_transparent_lie_over_white():
    palette = PILImage.new("P", (40, 40), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((0, 0), 0)
    assert tuple(pixels(encode(palette, "PNG", transparency=b"\x00\xff"))[0, 0]) == (255, 255, 255)
    colour = PILImage.new("RGB", (40, 40), (40, 50, 60))
    colour.putpixel((0, 0), (10, 20, 30))
    found = pixels(encode(colour, "PNG", transparency=(10, 20, 30)))
    assert tuple(found[0, 0]) == (255, 255, 255) and tuple(found[0, 1]) == (40, 50, 60)


def test_opaque_alpha_changes_no_pixel_and_a_picture_of_nothing_is_refused():
    image = draw(7, mode="RGBA")
    assert np.array_equal(pixels(encode(image, "PNG")), np.asarray(image.convert("RGB")))
    image.putalpha(0)
    assert refusal(encode(image, "PNG")) == "transparent"


def test_sixteen_bits_are_scaled_not_cut():
    values = np.array([[0, 257, 128 * 257, 65535] * 10] * 40, dtype=np.uint16)
    wanted = [0, 1, 128, 255]
    for kind in ("PNG", "TIFF"):
        picture = open_picture(encode(PILImage.fromarray(values), kind), "x", ANY)
        assert np.asarray(picture.pixels)[0, :4, 0].tolist() == wanted
        assert picture.pixels.mode == "RGB" and picture.changes[0] == "16 bits to 8"


def test_grey_of_sixteen_bits_where_zero_is_white():
    values = np.array([[0, 65535] * 20] * 40, dtype=np.uint16)
    data = bytearray(encode(PILImage.fromarray(values), "TIFF"))
    with PILImage.open(io.BytesIO(bytes(data))) as image:
        assert image.tag_v2[262] == 1
    place = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    data[place] = 0
    assert pixels(bytes(data))[0, :2, 0].tolist() == [255, 0]


def test_colours_of_sixteen_bits_do_not_keep_their_bytes():
    row = b"\0" + struct.pack(">3H", 65535, 128 * 257, 0) * 40
    picture = open_picture(png(40, 40, 16, 2, row * 40), "x", ANY)
    assert tuple(np.asarray(picture.pixels)[0, 0]) == (255, 128, 0)
    assert picture.changes == ("16 bits to 8",)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_more_than_one_picture_is_refused(kind):
    data = encode(draw(1), kind, save_all=True, append_images=[draw(2), draw(3)])
    assert refusal(data) == ("pages" if kind == "TIFF" else "animated")


def test_a_photo_with_a_preview_behind_it_is_its_first_picture():
    data = encode(draw(1), "MPO", save_all=True, append_images=[draw(2)], quality=95)
    picture = open_picture(data, "x.jpg", ANY)
    assert picture.changes == ("first of several pictures",)
    assert np.abs(np.asarray(picture.pixels).astype(int) - np.asarray(draw(1)).astype(int)).mean() < 6


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"This is a letter, and it was named .jpg by mistake.\n" * 50, "format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format"),
        (b"\x89PNG\r\n\x1a\n", "broken"),
        (b"\xff\xd8\xff\xe0", "broken"),
        (png(60_000, 60_000, 8, 2, b"\0" * 9), "too_large"),
        (png(9_000, 9_000, 8, 2, b"\0" * 9), "too_large"),
        (encode(draw(1, (31, 400)), "PNG"), "too_small"),
        (encode(PILImage.fromarray(np.zeros((40, 40), np.float32)), "TIFF"), "mode"),
        (encode(PILImage.fromarray(np.zeros((40, 40), np.int32)), "TIFF"), "mode"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(data, reason):
    assert refusal(data) == reason


def test_limits_come_from_settings():
    data = encode(draw(1, (96, 64)), "PNG")
    assert refusal(data, ImageSettings(max_pixels=96 * 64 - 1)) == "too_large"
    assert refusal(data, ImageSettings(min_edge=65)) == "too_small"
    assert open_picture(data, "x", ImageSettings(max_pixels=96 * 64, min_edge=64)).data == data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_cut_file_is_refused_at_every_length(kind):
    data = encode(draw(8), kind)
    reasons = {refusal(data[:length]) for length in range(1, len(data) * 9 // 10, max(1, len(data) // 60))}
    assert reasons <= {"broken", "format", "too_small", "too_large"} and "broken" in reasons


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_spoiled_bytes_never_crash(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO"]))
    whole = bytearray(encode(draw(9, (40, 36)), kind, **({"exif": EXIF} if kind in ("JPEG", "PNG", "WEBP") else {})))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = open_picture(bytes(whole), "x", ImageSettings(max_pixels=10_000))
    except PictureRefused as refused:
        assert refused.reason and refused.detail
    else:
        assert picture.pixels.mode == "RGB" and min(picture.pixels.size) >= 32


def test_a_spoiled_stored_file_is_written_anew(tmp_path):
    data = encode(draw(1), "PNG")
    stored = tmp_path / take_picture(data, "x", ANY, tmp_path).image.path
    stored.write_bytes(b"torn")
    take_picture(data, "x", ANY, tmp_path)
    assert stored.read_bytes() == data


def test_one_picture_in_two_formats_has_one_hash_of_pixels():
    png_file, bmp_file = (open_picture(encode(draw(1), kind), "x", ANY).pixels for kind in ("PNG", "BMP"))
    assert pixel_hash(png_file) == pixel_hash(bmp_file) != pixel_hash(draw(2))
    # Width and height are part of it: one colour gives the same bytes in another shape.
    assert pixel_hash(PILImage.new("RGB", (40, 60))) != pixel_hash(PILImage.new("RGB", (60, 40)))


def test_the_library_of_hashes_is_loaded_when_it_is_needed_and_its_absence_said(monkeypatch):
    light = (
        "import sys, srpo.data.sources, srpo.data.clean; sys.exit('imagehash' in sys.modules or 'pywt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", light]).returncode == 0
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(ConfigError, match=r'needs imagehash: pip install "srpo\[data\]"'):
        perceptual_hash(draw(1))
