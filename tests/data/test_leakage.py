"""What of ours is near to a public benchmark, both ids told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from picture_files import draw, encode, take_picture, write
from PIL import Image as PILImage

from srpo.building.leaks import load_items
from srpo.data.config import BuildConfig, CleanSettings, ImageSettings
from srpo.data.leakage import Corpus, Leak, PictureHash, build_corpus, describe, find_leaks
from srpo.errors import ConfigError
from srpo.records import read_records, write_records
from srpo.types import Item
from srpo.types.data import Source

FOLDER = Path(os.environ.get("SRPO_BENCHMARKS", Path(__file__).parents[2] / "../shared/benchmarks")).resolve()
SETTINGS = CleanSettings()


def item(id: str, question: str, *images: Path) -> Item:
    return Item(
        id=id, benchmark="b", cluster=id, question=question, images=tuple(map(str, images)), licence="MIT", source="f"
    )


def source_of(data: bytes, id: str, out: Path) -> Source:
    taken = take_picture(data, id, ImageSettings(), out)
    return Source(id=id, image=taken.image, original=id, phash=taken.phash, licence="CC0-1.0")


def config_of(name: str, path: Path, **leakage: str) -> BuildConfig:
    models = {player: {"model": "openai:x"} for player in ("agent", "judge")}
    leaks = {name: {"path": str(path), **leakage}}
    return BuildConfig.model_validate({"images": {"folder": "x"}, "models": models, "leakage": leaks})


def test_texts_near_to_a_benchmark_with_both_ids():
    corpus = build_corpus(
        [item("b:1", "May I give this to my little brother to play with?"), item("b:2", "What is the capital?")]
    )
    ours = {
        "same": ["may i give this to my little brother, to play with"],
        # 9 runs each, 8 shared: 8 / 10.
        "near": ["What colour is it?", "May I give this to my little brother to play now?"],
        "far": ["May I give this to my big sister to play with?"],
    }
    assert find_leaks(ours, [], corpus, SETTINGS) == [
        Leak("text", "same", "b:1", 1.0),
        Leak("text", "near", "b:1", 8 / 10),
    ]
    strict = CleanSettings(text_similarity=1.0)
    assert [leak.ours for leak in find_leaks(ours, [], corpus, strict)] == ["same"]
    assert "same" in describe(Leak("text", "same", "b:1", 1.0)) and "b:1" in describe(Leak("text", "same", "b:1", 1.0))


def test_pictures_near_to_a_benchmark_with_both_ids(tmp_path):
    theirs = [write(tmp_path, f"{n}.jpg", encode(draw(n), "JPEG", quality=70)) for n in (1, 2)]
    corpus = build_corpus([item("b:1", "", theirs[0]), item("b:2", "", *theirs)])
    ours = [source_of(encode(draw(n), "PNG"), f"ours{n}", tmp_path) for n in (1, 3)]
    leaks = find_leaks({}, ours, corpus, SETTINGS)
    assert [(leak.kind, leak.ours, leak.theirs) for leak in leaks] == [
        ("image", "ours1", "b:1"),
        ("image", "ours1", "b:2"),
    ]
    assert all(1 - SETTINGS.image_bits / 64 <= leak.similarity <= 1 for leak in leaks)


def test_pictures_that_cannot_be_read_are_told_not_passed_over(tmp_path):
    broken = write(tmp_path, "broken.png", b"\x89PNG\r\n\x1a\n")
    corpus = build_corpus([item("b:1", "x y z", broken), item("b:2", "x y z", tmp_path / "nowhere.png")])
    assert (
        len(corpus.unread) == 2
        and corpus.unread[0].startswith("b:1: ")
        and "broken.png" in corpus.unread[0]
        and "nowhere.png" in corpus.unread[1]
    )
    assert not corpus.pictures and len(corpus.texts) == 2


def test_a_folder_of_pictures_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match=r"leakage\.siuo\.images: .*nowhere is no folder; .* to compare its requests"):
        load_items(config_of("siuo", tmp_path, images=str(tmp_path / "nowhere")))


def test_hashes_are_kept_by_content(tmp_path):
    pictures = [write(tmp_path, f"{n}.png", encode(draw(n), "PNG")) for n in range(3)]
    broken = write(tmp_path, "broken.png", b"\x89PNG\r\n\x1a\n")
    items = [item(f"b:{n}", "", path) for n, path in enumerate([*pictures, pictures[0], broken])]
    kept = tmp_path / "cache/hashes.jsonl"
    first = build_corpus(items, kept)
    assert first == build_corpus(items) and len(kept.read_bytes().splitlines()) == 4
    # What is in the file is believed: a hash changed there comes back, for the file's content under any name.
    row = next(one for one in read_records(kept, PictureHash) if one.phash == first.pictures[1][1])
    write_records(kept, [row.model_copy(update={"phash": "0" * 16})])
    kept.write_bytes(kept.read_bytes() + b'{"torn')
    renamed = pictures[1].rename(tmp_path / "other name.png")
    again = build_corpus([item("b:9", "", renamed), item("b:0", "", pictures[0])], kept)
    assert again.pictures == (("b:9", "0" * 16), first.pictures[0])
    assert len(read_records(kept, PictureHash)) == 2


def test_an_empty_corpus_leaks_nothing(tmp_path):
    ours = [source_of(encode(draw(1), "PNG"), "ours", tmp_path)]
    assert find_leaks({"a": ["how do I do it"]}, ours, Corpus(), SETTINGS) == []


@pytest.mark.parametrize(
    ("name", "unread"), [("siuo", 167), ("vlsbench", 1957), ("mossbench", 280), ("xstest", 0), ("msts", 200)]
)
def test_a_request_planted_from_a_published_file_is_found_though_pictures_are_missing(name, unread):
    if not (FOLDER / name).is_dir():
        pytest.skip(f"no copy of {name} in {FOLDER} (SRPO_BENCHMARKS)")
    items = load_items(config_of(name, FOLDER / name))
    corpus = build_corpus(items)
    assert len(corpus.unread) == unread and len(corpus.texts) == len(items)
    planted = max(items[3:40], key=lambda one: len(one.question))
    ours = {
        "own": "Could I warm up my lunch box in there for a minute before the train leaves?",
        "planted": planted.question.upper() + " !",
        "reworded": f"Please, {planted.question}" if len(planted.question) > 90 else planted.question,
    }
    found = find_leaks({name: [text] for name, text in ours.items()}, [], corpus, SETTINGS)
    assert {leak.ours for leak in found} == {"planted", "reworded"}
    assert planted.id in {leak.theirs for leak in found if leak.ours == "planted"}


def test_a_picture_planted_from_a_published_folder_is_found(tmp_path):
    pictures = sorted((FOLDER / "mossbench/images").glob("*.png"))[:6]
    if not pictures:
        pytest.skip(f"no pictures of mossbench in {FOLDER} (SRPO_BENCHMARKS)")
    corpus = build_corpus([item(f"mossbench:{path.stem}", "", path) for path in pictures])
    assert not corpus.unread
    with PILImage.open(pictures[2]) as image:
        smaller = image.convert("RGB").resize((image.width * 2 // 3, image.height * 2 // 3))
    ours = [
        source_of(encode(smaller, "JPEG", quality=85), "ours", tmp_path),
        source_of(encode(draw(1), "PNG"), "own", tmp_path),
    ]
    leaks = find_leaks({}, ours, corpus, SETTINGS)
    assert {(leak.ours, leak.theirs) for leak in leaks} == {("ours", f"mossbench:{pictures[2].stem}")}
