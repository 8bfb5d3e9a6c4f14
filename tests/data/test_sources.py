"""A folder of pictures taken over: rows, refusals, licences, resuming."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from picture_files import draw, encode, write
from PIL import Image as PILImage

from srpo.config import dump_config
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus, build_corpus
from srpo.data.meter import Ledger
from srpo.data.sources import take_sources
from srpo.errors import ConfigError, DataError
from srpo.progress import silent
from srpo.records import file_sha256, read_records
from srpo.types import Item
from srpo.types.data import Rejection, Source

EMPTY = Corpus()


def config_of(folder: Path, **images: object) -> BuildConfig:
    given = {"folder": str(folder), "licence": "CC0-1.0", **images}
    return BuildConfig.model_validate(
        {"images": given, "models": {name: {"model": "openai:x"} for name in ("agent", "judge")}}
    )


def take(config: BuildConfig, out: Path, corpus: Corpus = EMPTY) -> tuple[list[Source], list[Rejection]]:
    folder = DatasetFolder(out)
    out.mkdir(exist_ok=True)
    assert take_sources(config, folder, silent, corpus, Ledger(folder.usage)) == 0
    return tuple(
        read_records(path, kind) if path.exists() else []
        for path, kind in ((folder.sources, Source), (folder.rejections, Rejection))
    )


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Good, odd, doubled and broken files, in the order of their names."""
    folder = tmp_path / "given"
    one = encode(draw(1), "PNG")
    write(folder, "a.png", one)
    write(folder, "b/again.jpg", one)
    write(folder, "b/same pixels.bmp", encode(draw(1), "BMP"))
    write(folder, "b/nearly.jpg", encode(draw(1), "JPEG"))
    write(folder, "c.gif", encode(draw(2), "GIF", save_all=True, append_images=[draw(3)]))
    write(folder, "d.jpg", b"Dear aunt,")
    write(folder, "e.webp", encode(draw(4), "WEBP"))
    write(folder, "f.png", encode(draw(5), "PNG")[:300])
    write(folder, "g", b"")
    write(folder, "\u00fc <b>x</b>\n.png", encode(draw(6), "PNG"))
    write(folder, ".hidden.png", encode(draw(7), "PNG"))
    write(folder, ".cache/x.png", encode(draw(8), "PNG"))
    return folder


def test_every_file_becomes_one_row(mixed, tmp_path):
    sources, rejections = take(config_of(mixed, attribution="Ann"), tmp_path / "out")
    assert [one.original for one in sources] == ["a.png", "b/nearly.jpg", "e.webp", "\u00fc <b>x</b>\n.png"]
    assert [row.reason for row in rejections] == ["duplicate", "duplicate", "animated", "format", "broken", "empty"]
    assert "'b/again.jpg' is the same file as 'a.png'" in rejections[0].detail
    assert "'b/same pixels.bmp' has the same pixels as 'a.png'" in rejections[1].detail
    assert {row.stage for row in rejections} == {"sources"}
    ids = [row.id for row in (*sources, *rejections)]
    assert len(set(ids)) == len(ids), "a refused copy must not carry the id of the picture that is used"
    for one in sources:
        stored = tmp_path / "out" / one.image.path
        assert file_sha256(stored) == one.image.sha256
        assert one.id == hashlib.sha256((mixed / one.original).read_bytes()).hexdigest()[:16]
        assert (one.licence, one.attribution, one.do_not_train) == ("CC0-1.0", "Ann", False)
    assert len(list((tmp_path / "out/images").iterdir())) == len(sources), "what is refused is not stored"


def test_links_are_followed_inside_the_folder_only(tmp_path):
    outside = write(tmp_path, "elsewhere/secret.png", encode(draw(1), "PNG"))
    folder = tmp_path / "given"
    inside = write(folder, "real/z.png", encode(draw(2), "PNG"))
    (folder / "a.png").symlink_to(inside)
    (folder / "b.png").symlink_to(outside)
    (folder / "c.png").symlink_to(tmp_path / "nowhere")
    (folder / "d").symlink_to(outside.parent)
    (folder / "e").symlink_to(folder)
    os.mkfifo(folder / "f.png")
    sources, rejections = take(config_of(folder), tmp_path / "out")
    assert [one.original for one in sources] == ["a.png"]
    assert [(row.reason, row.detail.split("'")[1]) for row in rejections] == [
        *(("link", name) for name in ("b.png", "c.png", "d", "e")),
        ("format", "f.png"),
        ("duplicate", "real/z.png"),
    ]


def test_a_name_that_is_no_text_is_refused_and_said(tmp_path):
    folder = tmp_path / "given"
    write(folder, "a.png", encode(draw(1), "PNG"))
    with open(os.fsencode(folder) + b"/\xff\xfe.png", "wb") as file:
        file.write(encode(draw(2), "PNG"))
    sources, rejections = take(config_of(folder), tmp_path / "out")
    assert [one.original for one in sources] == ["a.png"] and rejections[0].reason == "name"
    assert "xff" in rejections[0].detail


def test_the_dataset_may_lie_among_the_pictures(tmp_path):
    folder = tmp_path / "given"
    write(folder, "a.png", encode(draw(1), "PNG"))
    for _ in range(2):
        sources, rejections = take(config_of(folder), folder / "runs-ssui")
        assert [one.original for one in sources] == ["a.png"] and not rejections


def test_a_second_run_changes_nothing_and_reads_what_was_mended(mixed, tmp_path):
    out = tmp_path / "out"
    take(config_of(mixed), out)
    before = {path.name: path.read_bytes() for path in out.glob("*.jsonl")}
    take(config_of(mixed), out)
    assert {path.name: path.read_bytes() for path in out.glob("*.jsonl")} == before
    write(mixed, "f.png", encode(draw(5), "PNG"))
    write(mixed, "h.png", encode(draw(9), "PNG"))
    sources, rejections = take(config_of(mixed), out)
    assert [one.original for one in sources][-2:] == ["f.png", "h.png"] and len(rejections) == 6


def test_a_file_that_changed_is_an_error_that_names_it(mixed, tmp_path):
    take(config_of(mixed), tmp_path / "out")
    write(mixed, "e.webp", encode(draw(44), "WEBP"))
    with pytest.raises(DataError, match=r"'e\.webp' has changed since it was taken"):
        take(config_of(mixed), tmp_path / "out")


def test_a_stored_picture_that_is_gone_comes_back(mixed, tmp_path):
    sources, _ = take(config_of(mixed), tmp_path / "out")
    (tmp_path / "out" / sources[0].image.path).unlink()
    take(config_of(mixed), tmp_path / "out")
    assert file_sha256(tmp_path / "out" / sources[0].image.path) == sources[0].image.sha256


def table(folder: Path, *lines: str) -> str:
    return str(write(folder.parent, "about.csv", "\n".join(lines).encode()))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "b.png", "sub/c.png"), 1):
        write(tmp_path / "given", name, encode(draw(number), "PNG"))
    return tmp_path / "given"


def test_the_table_says_whose_pictures_they_are(three, tmp_path):
    path = table(
        three,
        "\ufefffile,licence,attribution,url,caption,do_not_train",
        './a.png,CC-BY-4.0,"Ann, of X",https://example.org/a,A cup.,no',
        "sub/c.png,,,,,",
    )
    (one, two, three_), _ = take(config_of(three, table=path, attribution="Bob"), tmp_path / "out")
    assert (one.licence, one.attribution, one.url, one.caption) == (
        "CC-BY-4.0",
        "Ann, of X",
        "https://example.org/a",
        "A cup.",
    )
    assert [(row.licence, row.attribution, row.url, row.caption) for row in (two, three_)] == [
        ("CC0-1.0", "Bob", None, None)
    ] * 2


def test_a_picture_without_licence_stops_before_anything_is_taken(three, tmp_path):
    path = table(three, "file,licence", "a.png,MIT")
    with pytest.raises(ConfigError, match=r"2 of 3 files have no licence, first 'b.png'; set images.licence .* row in"):
        take(config_of(three, table=path, licence=None), tmp_path / "out")
    assert not (tmp_path / "out/sources.jsonl").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,license", "a.png,MIT"], r"about.csv: unknown column 'license'; the columns are file, licence"),
        (["licence", "MIT"], r"expected a column `file`"),
        (["file,file", "a.png,b.png"], r"every column once"),
        (["file,licence", "a.png"], r"row 1: has 1 cells, the header has 2"),
        (["file", "a.png", "b.png", "./a.png"], r"row 3, column file: 'a.png' is that of row 1"),
        (["file", "a.png", "nowhere.png"], r"row 2, column file: 'nowhere.png' is not in images.folder"),
        (["file", '" "'], r"row 1, column file: is blank"),
        (["file,url", "a.png,javascript:alert(1)"], r"row 1, column url: expected http"),
        (["file,do_not_train", "a.png,maybe"], r"row 1, column do_not_train: expected true or false, got 'maybe'"),
        (["file,attribution", 'a.png,"x\ty\x1b[31m"'], r"row 1, column attribution: holds the control character"),
        (["file,caption", 'a.png,"not closed'], r"not a whole CSV file"),
        ([""], r"is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_named_by_row_and_column(three, tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        take(config_of(three, table=table(three, *lines)), tmp_path / "out")


def test_a_table_edited_after_the_picture_was_taken_is_an_error(three, tmp_path):
    take(config_of(three), tmp_path / "out")
    path = table(three, "file,licence", "b.png,CC-BY-NC-4.0")
    with pytest.raises(DataError, match=r"'b.png': licence was 'CC0-1.0' when it was taken, and is 'CC-BY-NC-4.0' now"):
        take(config_of(three, table=path), tmp_path / "out")


def test_what_forbids_training_is_refused_by_name(three, tmp_path):
    path = table(
        three,
        "file,licence,do_not_train",
        "a.png,CC-BY-NC-ND-4.0,",
        "b.png,,yes",
        'sub/c.png,"CC BY-SA 4.0, training forbidden",',
    )
    sources, rejections = take(config_of(three, table=path), tmp_path / "out")
    assert not sources and [row.reason for row in rejections] == ["licence"] * 3
    assert [("a.png" in one.detail, "b.png" in one.detail, "sub/c.png" in one.detail) for one in rejections] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_a_picture_of_a_benchmark_is_refused(three, tmp_path):
    leaked = write(tmp_path, "bench/7.jpg", encode(draw(2), "JPEG", quality=80))
    item = Item(
        id="other:7", benchmark="other", cluster="7", question="?", images=(str(leaked),), licence="MIT", source="f"
    )
    sources, rejections = take(config_of(three), tmp_path / "out", corpus=build_corpus([item]))
    assert [one.original for one in sources] == ["a.png", "sub/c.png"]
    assert rejections[0].reason == "leakage" and "'b.png'" in rejections[0].detail and "other:7" in rejections[0].detail


def test_a_folder_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(ConfigError, match="is no folder"):
        take(config_of(tmp_path / "nowhere"), tmp_path / "out")
    (tmp_path / "given").mkdir()
    with pytest.raises(DataError, match="holds no file"):
        take(config_of(tmp_path / "given"), tmp_path / "out")


def test_a_file_of_more_bytes_than_any_picture_is_not_read(tmp_path):
    folder = tmp_path / "given"
    write(folder, "a.png", encode(draw(1), "PNG"))
    with (folder / "b.png").open("wb") as file:
        file.truncate(2**25)
    sources, rejections = take(config_of(folder, max_pixels=10_000), tmp_path / "out")
    assert len(sources) == 1 and rejections[0].reason == "too_large"


def test_rows_are_the_same_from_every_state_that_a_kill_can_leave(mixed, tmp_path):
    take(config_of(mixed), tmp_path / "whole")
    whole = {name: (tmp_path / "whole" / name).read_bytes() for name in ("sources.jsonl", "rejected.jsonl")}
    lines = {name: data.splitlines(keepends=True) for name, data in whole.items()}
    for sources in range(len(lines["sources.jsonl"]) + 1):
        for rejections in (0, 3, 6):
            out = tmp_path / "out"
            shutil.rmtree(out, ignore_errors=True)
            torn = lines["sources.jsonl"][sources][:50] if sources < len(lines["sources.jsonl"]) else b""
            write(out, "sources.jsonl", b"".join(lines["sources.jsonl"][:sources]) + torn)
            write(out, "rejected.jsonl", b"".join(lines["rejected.jsonl"][:rejections]) + b'{"schema"')
            take(config_of(mixed), out)
            assert {name: (out / name).read_bytes() for name in whole} == whole


_SCRIPT = """
import sys
from pathlib import Path
from srpo.config import load_config
from srpo.config import dump_config
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.meter import Ledger
from srpo.data.sources import take_sources
from srpo.progress import silent
print("ready", flush=True)
folder = DatasetFolder(Path(sys.argv[2]))
take_sources(load_config(Path(sys.argv[1]), [], BuildConfig), folder, silent, Corpus(), Ledger(folder.usage))
"""


def test_killed_processes_leave_the_rows_of_an_unbroken_one(tmp_path):
    folder = tmp_path / "given"
    for number in range(80):
        write(folder, f"{number:03}.png", encode(draw(number % 100, (400, 300)), "PNG" if number % 9 else "GIF"))
        if number % 11 == 0:
            write(folder, f"{number:03}.txt", b"about it")
    take(config_of(folder), tmp_path / "whole")
    settings = write(tmp_path, "config.yaml", dump_config(config_of(folder)).encode())
    out = tmp_path / "out"
    out.mkdir()
    rng = random.Random(0)
    kills = 0
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(settings), str(out)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        if attempt < 3:
            time.sleep(rng.uniform(0.05, 0.6))
            process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert kills >= 1
    for name in ("sources.jsonl", "rejected.jsonl"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for source in read_records(out / "sources.jsonl", Source):
        with PILImage.open(out / source.image.path) as image:
            image.load()
