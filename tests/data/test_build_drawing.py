"""Pictures that are drawn, from captions or as counterparts: once, paid, under caps."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from build_world import build, contents, settings_for, world
from picture_files import draw, encode

from chat_server import Answer
from srpo.building import estimate
from srpo.errors import ConfigError, DataError
from srpo.records import read_records
from srpo.types import Rejection, Usage
from srpo.world.pool import PoolFolder


def renderer_at(url: str) -> str:
    return json.dumps({"model": "world-renderer", "base_url": url, "price": 0.04})


def test_captions_are_drawn_all_or_none(pool: Path, tmp_path: Path) -> None:
    captions, out = PoolFolder(pool).captions, tmp_path / "out"
    with world(pool) as server:
        images = json.dumps({"captions": str(captions), "licence": "CC0-1.0"})
        config = settings_for(pool, server.base_url, f"images={images}", f"renderer={renderer_at(server.base_url)}")
        first = estimate(config, out).loads[0]
        assert (first.stage, first.role, first.calls, first.cost) == ("sources", "render", 4, pytest.approx(0.16))
        with pytest.raises(ConfigError, match=r"--max-cost 0\.1: drawing 4 captions costs 0\.16"):
            build(config, out, max_cost=0.1)
        with pytest.raises(ConfigError, match="--max-calls 3: drawing 4 captions takes as many calls"):
            build(config, out, max_calls=3)
        assert server.payloads == []
        built = build(config, out, max_calls=6)
        assert len(server.payloads) == 6 and built.counts[0].through == 4
        assert [row.role for row in built.usage] == ["render", "query"]
        build(config, out, max_calls=8)
        assert len(server.payloads) == 8
        next((out / "images").iterdir()).unlink()
        with pytest.raises(DataError, match=r"images/.*: the picture of 'caption \w+' is gone or was changed"):
            build(config, out)
        assert len(server.payloads) == 8


def test_new_captions_are_counted_as_such(pool: Path, tmp_path: Path) -> None:
    """However many pictures were drawn of others before."""
    given, captions, out = PoolFolder(pool).captions.read_text().splitlines(), tmp_path / "captions.txt", tmp_path / "o"
    captions.write_text("\n".join(given[:2]))
    with world(pool) as server:
        images = json.dumps({"captions": str(captions), "licence": "CC0-1.0"})
        config = settings_for(pool, server.base_url, f"images={images}", f"renderer={renderer_at(server.base_url)}")
        build(config, out, max_calls=2)
        captions.write_text("\n".join(given[2:4]))
        assert estimate(config, out).loads[0].calls == 2
        with pytest.raises(ConfigError, match="--max-calls 3: drawing 2 captions takes as many calls"):
            build(config, out, max_calls=3)
        assert len(server.payloads) == 2


def test_a_drawn_picture_that_cannot_be_used_is_paid(pool: Path, tmp_path: Path) -> None:
    tiny = base64.b64encode(encode(draw(1, (8, 8)), "PNG")).decode()

    def paints_tiny(payload: dict[str, object], number: int) -> Answer | None:
        return Answer({"created": 0, "data": [{"b64_json": tiny}]}) if "prompt" in payload else None

    with world(pool, paints_tiny, errors=0.0) as server:
        settings = (f"renderer={renderer_at(server.base_url)}", "cells={candidates: 1, render: true}")
        build(settings_for(pool, server.base_url, *settings, "images.licence=CC0-1.0"), tmp_path / "out")
    usage = [row for row in read_records(tmp_path / "out" / "usage.jsonl", Usage) if row.role == "render"]
    dropped = [row.detail for row in read_records(tmp_path / "out" / "rejected.jsonl", Rejection)]
    assert usage and {(row.calls, row.failed, row.cost) for row in usage} == {(1, 0, 0.04)}
    assert any("none was drawn" in detail and "8 x 8" in detail for detail in dropped)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["images.captions=x", "images.folder=null"], "images.licence: is missing"),
        (
            ["images.captions=x", "images.folder=null", "images.licence=CC0-1.0"],
            "images.table: goes with images.folder",
        ),
        (["cells.render=true"], "images.licence: is missing"),
        (["cells.render=true", "images.licence=CC-BY-ND-4.0"], "forbids works made from it"),
        (["cells.render=true", "images.licence=CC0-1.0", "renderer=null"], "renderer: is needed"),
        (["splits={train-a: 0.8, val: 0.2}"], "'train-a' cannot be published"),
        (["splits={train..a: 0.8, val: 0.2}"], r"'train\.\.a' cannot be published"),
    ],
)
def test_settings_that_do_not_fit(pool: Path, tmp_path: Path, overrides: list[str], message: str) -> None:
    """By the estimate too, and before anything is made."""
    for begin in (build, estimate):
        with pytest.raises(ConfigError, match=message):
            url = "http://127.0.0.1:9/v1"
            begin(settings_for(pool, url, f"renderer={renderer_at(url)}", *overrides), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_drawn_counterparts_are_drawn_once(pool: Path, tmp_path: Path) -> None:
    """In one go, and stopped by caps again and again, among them ones between two pictures."""
    found = []
    with world(pool, errors=0.0) as server:
        settings = (f"renderer={renderer_at(server.base_url)}", "cells={candidates: 1, render: true}")
        config = settings_for(pool, server.base_url, *settings, "images.licence=CC0-1.0")
        for name, caps in (("whole", [None]), ("parts", [30, 51, 54, 60, 70, 90, None])):
            server.payloads.clear()
            for cap in caps:
                build(config, tmp_path / name, max_calls=cap)
            drawn = [payload["prompt"] for payload in server.payloads if "prompt" in payload]
            assert len(drawn) == len(set(drawn)) > 0
            found.append((contents(tmp_path / name), sorted(drawn)))
    assert found[0] == found[1]
