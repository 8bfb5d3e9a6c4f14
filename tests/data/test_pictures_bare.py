"""Stored files tell nothing but the picture: no place, no notes, nothing behind the end."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from picture_files import draw, encode, take_picture
from PIL import Image as PILImage

from srpo.data.config import ImageSettings
from srpo.data.pictures import PictureRefused, open_picture

ANY = ImageSettings()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


SECRET = b"Some Street 7, a town"


def with_notes(kind: str) -> bytes:
    """A file that tells the place in many ways, and goes on behind its end, as phones write a video there."""
    exif = PILImage.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    data = encode(draw(3), kind, exif=exif, xmp=SECRET)
    if kind == "JPEG":
        notes = [
            (0xED, b"Photoshop 3.0\0" + SECRET),
            (0xFE, SECRET),
            (0xE2, b"FPXR\0" + SECRET),
            (0xE0, b"JFXX\0" + SECRET),
        ]
        data = data[:2] + b"".join(segment(*note) for note in notes) + data[2:]
    if kind == "PNG":
        text = SECRET + b"\0"
        data = data[:33] + (len(text)).to_bytes(4) + b"tEXt" + text + zlib.crc32(b"tEXt" + text).to_bytes(4) + data[33:]
    return data + SECRET


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_are_dropped_and_pixels_stay(tmp_path, kind):
    data = with_notes(kind)
    taken = take_picture(data, "x", ANY, tmp_path)
    assert taken.changes == ("metadata dropped",)
    assert taken.image.path.endswith(".jpg" if kind == "JPEG" else ".png")
    stored = (tmp_path / taken.image.path).read_bytes()
    assert SECRET in data and SECRET not in stored
    with PILImage.open(io.BytesIO(stored)) as image, PILImage.open(io.BytesIO(data)) as before:
        assert before.getexif() and not image.getexif()
        assert np.array_equal(np.asarray(image), np.asarray(before))
    again = take_picture(stored, "x", ANY, tmp_path)
    assert again.changes == () and again.image == taken.image


def test_a_note_of_one_kind_only_is_dropped_too(tmp_path):
    plain = encode(draw(3), "JPEG")
    assert take_picture(plain, "x", ANY, tmp_path).changes == ()
    noted = [plain[:2] + segment(marker, SECRET) + plain[2:] for marker in (0xE1, 0xEC, 0xED, 0xFE)]
    for data in (*noted, plain + b"ftyp" + SECRET, encode(draw(3), "PNG") + SECRET):
        taken = take_picture(data, "x", ANY, tmp_path)
        assert taken.changes == ("metadata dropped",)
        assert SECRET not in (tmp_path / taken.image.path).read_bytes()
    assert {open_picture(data, "x", ANY).data for data in noted} == {plain}


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"restart_marker_blocks": 3},
        {"progressive": True, "restart_marker_rows": 1},
        {"subsampling": 0, "quality": 100, "optimize": True},
        {"icc_profile": b"profile" * 20_000},
    ],
)
def test_jpeg_files_of_every_form_keep_their_pixels(options):
    image = PILImage.effect_noise((150, 90), 90).convert("RGB")
    data = encode(image, "JPEG", **options)
    picture = open_picture(data[:2] + segment(0xED, SECRET) + data[2:] + SECRET, "x", ANY)
    assert picture.data == data and picture.changes == ("metadata dropped",)
    assert np.array_equal(
        np.asarray(open_picture(picture.data, "x", ANY).pixels), np.asarray(PILImage.open(io.BytesIO(data)))
    )


def test_a_jpeg_file_of_an_odd_form_is_stored_anew():
    data = encode(draw(3), "JPEG")
    for odd in (data[:2] + b"junk" + data[2:], data[:-2]):
        try:
            picture = open_picture(odd, "x", ANY)
        except PictureRefused:  # a decoder may be stricter
            continue
        assert picture.ending == "png" and picture.changes == ("metadata dropped",)
    spaced = data[:2] + b"\xff\xff" + data[2:-2] + b"\xff\xff" + data[-2:]
    assert open_picture(spaced, "x", ANY).data == data
