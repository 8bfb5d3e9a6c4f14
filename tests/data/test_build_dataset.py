"""From pictures to samples: complete, once, in any number of starts, under caps."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from build_world import build, contents, settings_for, world
from picture_files import draw, encode, write

from chat_server import Answer
from srpo.building import estimate
from srpo.data.config import BuildConfig
from srpo.errors import ConfigError, DataError, ModelError
from srpo.records import read_records, write_records
from srpo.steps import split, well_formed
from srpo.types import CELLS, DraftSet, Rejection, Sample, Source, Usage
from srpo.world.pool import PoolFolder


def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_samples_are_complete_sets(whole: Path) -> None:
    samples = read_records(whole / "samples.jsonl", Sample)
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    for cells in groups.values():
        assert tuple(sample.cell for sample in cells) == CELLS
        hazard, image, text, both = cells
        assert hazard.question == image.question and text.question == both.question != hazard.question
        assert hazard.image == text.image and image.image == both.image != hazard.image
        assert hazard.category and hazard.hypothesis and hazard.unsafe_reply
        assert not any(cell.category or cell.hypothesis or cell.unsafe_reply for cell in (image, text, both))
    for sample in samples:
        assert well_formed(sample.reference) and split(sample.reference.text) == sample.reference
        assert (whole / sample.image.path).is_file()


def test_every_set_holds_its_checks_and_every_text_its_call(whole: Path) -> None:
    wanted = {
        "hazard": ["redundancy", "completeness", "text_safety", "text_only", "image_only", "joint", "joint", "path"],
        "benign_image": ["redundancy", "completeness", "image_only", "joint", "path"],
        "benign_text": ["redundancy", "completeness", "text_safety", "text_only", "joint", "path"],
        "benign_both": ["redundancy", "completeness", "joint", "path"],
    }
    for one in read_records(whole / "sets.jsonl", DraftSet):
        for cell, draft in one.cells.items():
            assert [check.name for check in draft.checks] == wanted[cell]
            assert {check.state for check in draft.checks} == {"ok"}
            roles = [made.role for made in draft.made]
            assert roles[0] == ("query" if cell == "hazard" else "counterpart" if cell == "benign_text" else "benign")
            assert "reasoning" in roles and "summary" in roles
            assert len({made.request_sha256 for made in draft.made}) == len(draft.made)
            assert draft.versions[-1].reason == "condensed"


def test_nothing_disappears(pool: Path, whole: Path) -> None:
    kept = {one.id for one in read_records(whole / "sets.jsonl", DraftSet)}
    dropped = [row.id for row in read_records(whole / "rejected.jsonl", Rejection) if row.stage != "sources"]
    pictures = len((whole / "sources.jsonl").read_bytes().splitlines())
    assert len(kept) + len(dropped) == pictures and not kept & set(dropped) and len(set(dropped)) == len(dropped)


def test_a_second_start_asks_nothing(pool: Path, whole: Path) -> None:
    before = contents(whole)
    with world(pool) as server:
        built = build(settings_for(pool, server.base_url), whole)
        assert server.payloads == []
    assert built.usage == [] and contents(whole) == before


def test_two_pictures_under_one_request_are_two_calls(pool: Path, whole: Path, tmp_path: Path) -> None:
    """The key of the cache holds the pictures: the cells of a set differ in nothing else."""
    with world(pool) as server:
        build(settings_for(pool, server.base_url), tmp_path / "out")
        sent = [str(payload["messages"]) for payload in server.payloads]
    describes = {text for text in sent if "What does this picture show" in text}
    pictures = {text.partition("What does")[0] for text in describes}
    assert len(describes) == len(pictures) > 1
    assert contents(tmp_path / "out") == contents(whole)


def test_calls_that_fail_wait_and_nothing_is_lost(pool: Path, whole: Path, tmp_path: Path) -> None:
    fails = Counter[str]()

    def every_third_fails_once(payload: dict[str, object], number: int) -> Answer | None:
        key = str(payload)
        fails[key] += 1
        return Answer({"error": {"message": "busy"}}, 500) if number % 3 == 0 and fails[key] == 1 else None

    waited = []
    with world(pool, every_third_fails_once) as server:
        for _ in range(40):
            built = build(settings_for(pool, server.base_url), tmp_path / "out")
            waited.append(built.waiting)
            if not built.waiting:
                break
    assert waited[0] > 0 and waited[-1] == 0
    assert contents(tmp_path / "out") == contents(whole)


def test_a_dead_server_is_named_and_what_is_finished_is_kept(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def dies(payload: dict[str, object], number: int) -> Answer | None:
        server.dead = number >= 20
        return None

    with world(pool, dies) as server:
        with pytest.raises(ModelError, match=rf"models\.(agent|judge) \({server.base_url}\): all \d+ requests failed"):
            build(settings_for(pool, server.base_url), out)
        assert len(read_records(out / "reasoning.jsonl", DraftSet)) > 0
    with world(pool) as server:
        assert build(settings_for(pool, server.base_url), out).waiting == 0
    assert contents(out) == contents(whole)


def test_max_calls_is_never_passed_and_a_higher_one_goes_on(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with world(pool) as server:
        for cap in (0, 7, 40):
            built = build(settings_for(pool, server.base_url), out, max_calls=cap)
            assert len(server.payloads) == cap and built.reached and f"--max-calls {cap}" in built.reached
            assert built.waiting > 0
        assert build(settings_for(pool, server.base_url), out).reached is None
    assert contents(out) == contents(whole)


def test_max_cost_is_never_passed(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with world(pool) as server:
        config = settings_for(pool, server.base_url, "models.agent.max_new_tokens=100")
        built = build(config, out, max_cost=0.0075)
        spent = sum(row.cost or 0 for row in read_records(out / "usage.jsonl", Usage))
        assert built.reached and 0.0002 < spent <= 0.0075
        tokens = 7 * len(server.payloads) + 4 * 3 * len(server.payloads)
        assert spent == pytest.approx(tokens / 1e6)


def test_max_cost_needs_prices(pool: Path, tmp_path: Path) -> None:
    config = settings_for(pool, "http://127.0.0.1:9/v1", "models.judge.output_price=null")
    with pytest.raises(ConfigError, match=r"models\.judge: has no input_price and output_price"):
        build(config, tmp_path / "out", max_cost=1.0)
    assert not (tmp_path / "out").exists()


def test_a_limit_is_a_part_of_the_whole(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with world(pool) as server:
        config = settings_for(pool, server.base_url)
        assert build(config, out, limit=3).counts[1].entered == 3
        few = {one.id for one in read_records(out / "cells.jsonl", DraftSet)}
        assert few <= {one.id for one in read_records(whole / "cells.jsonl", DraftSet)}
        build(config, out)
        assert contents(out) == contents(whole)
        build(config, out, limit=2)  # takes nothing away
    assert contents(out) == contents(whole)


def test_several_queries_are_told_the_ones_before(pool: Path, tmp_path: Path) -> None:
    with world(pool) as server:
        build(settings_for(pool, server.base_url, "queries_per_image=2"), tmp_path / "out", limit=4)
        asked = [str(p["messages"]) for p in server.payloads if "Requests that were proposed" in str(p["messages"])]
    first = {row.id: row for row in read_records(tmp_path / "out" / "query.jsonl", DraftSet)}
    assert asked and all(any(row.cells["hazard"].question in text for row in first.values()) for text in asked)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("seed=1", r"seed: 0 -> 1"),
        ("checks.votes=5", r"checks\.votes: 1 -> 5"),
        ("models.agent.temperature=0.1", r"models\.agent\.temperature: 0\.7 -> 0\.1"),
        ("models.judge.model=openai:other", r"models\.judge\.model"),
        ("queries_per_image=3", r"queries_per_image"),
    ],
)
def test_other_settings_are_refused_by_name(pool: Path, whole: Path, override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build(settings_for(pool, "http://127.0.0.1:9/v1", override), whole)


def test_servers_prices_and_cleaning_may_change(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = copied(whole, tmp_path)
    changes = ("models.agent.input_price=9", "models.judge.timeout_seconds=5", "clean.sets=1")
    built = build(settings_for(pool, "http://127.0.0.1:9/v1", *changes), out)
    assert built.samples == len(CELLS) and built.counts[-1].dropped["quota"] > 0
    build(settings_for(pool, "http://127.0.0.1:9/v1"), out)
    assert contents(out) == contents(whole)


def test_a_set_stays_in_its_split(pool: Path, whole: Path, tmp_path: Path) -> None:
    """Of an earlier start, which had other sets to place."""
    out = copied(whole, tmp_path)
    samples = read_records(out / "samples.jsonl", Sample)
    first = samples[0].group
    placed = [one.model_copy(update={"split": "rsbench" if one.group == first else "train"}) for one in samples]
    write_records(out / "samples.jsonl", placed)
    build(settings_for(pool, "http://127.0.0.1:9/v1"), out)
    assert read_records(out / "samples.jsonl", Sample) == placed
    write_records(out / "samples.jsonl", [placed[0].model_copy(update={"split": "tests"})])
    with pytest.raises(DataError, match=r"samples\.jsonl: sample .* is in split 'tests', which `splits` does not have"):
        build(settings_for(pool, "http://127.0.0.1:9/v1"), out)


def test_a_prompt_that_changes_is_refused(pool: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "describe.txt"
    prompt.write_text("What does this picture show, and what could somebody do here?\n", encoding="utf-8")
    out = tmp_path / "out"
    with world(pool) as server:
        config = settings_for(pool, server.base_url, f"prompts.agent_describe={prompt}")
        build(config, out, limit=1)
        prompt.write_text("Say something else.\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"prompts\.agent_describe: .* has changed"):
            build(config, out, limit=1)


def test_an_estimate_asks_nobody_and_makes_nothing(pool: Path, whole: Path, tmp_path: Path) -> None:
    with world(pool) as server:
        config = settings_for(pool, server.base_url)
        fresh = estimate(config, tmp_path / "out")
        assert server.payloads == [] and not (tmp_path / "out").exists()
    assert fresh.pictures == len(list((pool / "pictures").iterdir())) and not fresh.measured
    assert all(0 <= load.calls <= load.worst_calls for load in fresh.loads)
    assert estimate(config, tmp_path / "out", limit=2).loads[0].calls == 2
    finished = estimate(config, whole)
    assert finished.measured and sum(load.worst_calls for load in finished.loads) == 0


def test_an_estimate_counts_new_pictures_and_no_table(pool: Path, whole: Path, tmp_path: Path) -> None:
    pictures = Path(shutil.copytree(PoolFolder(pool).pictures, tmp_path / "pictures"))
    count = len(list(pictures.iterdir()))
    shutil.copy(PoolFolder(pool).table, pictures / "table.csv")
    images = json.dumps({"folder": str(pictures), "table": str(pictures / "table.csv"), "licence": "CC0-1.0"})
    config = settings_for(pool, "http://127.0.0.1:9/v1", f"images={images}")
    assert estimate(config, tmp_path / "none").pictures == count
    write(pictures, "new.png", encode(draw(1), "PNG"))
    write(pictures, "newer.png", encode(draw(2), "PNG"))
    later = estimate(config, whole)
    assert later.pictures == len(read_records(whole / "sources.jsonl", Source)) + 2
    assert later.loads[0].role == "query" and later.loads[0].calls == 2


def test_an_estimate_is_near_to_what_comes(pool: Path, whole: Path) -> None:
    """With the averages of a preview, as with those of the whole dataset."""
    usage = read_records(whole / "usage.jsonl", Usage)
    guessed = estimate(settings_for(pool, "http://127.0.0.1:9/v1"), whole.with_name("none"))
    calls = sum(load.calls for load in guessed.loads)
    assert calls / 3 < sum(row.calls for row in usage) < sum(load.worst_calls for load in guessed.loads)


def config_for(pictures: Path) -> BuildConfig:
    images = {"folder": str(pictures), "licence": "CC0-1.0"}
    models = {name: {"model": "openai:m", "base_url": "http://127.0.0.1:9/v1"} for name in ("agent", "judge")}
    return BuildConfig.model_validate({"images": images, "models": models})


def test_a_folder_without_usable_pictures(tmp_path: Path) -> None:
    write(tmp_path, "pictures/note.png", b"no picture")
    with pytest.raises(DataError, match="no picture could be taken"):
        build(config_for(tmp_path / "pictures"), tmp_path / "out")


def test_a_picture_that_was_mended_is_refused_no_more(tmp_path: Path) -> None:
    out, pictures = tmp_path / "out", tmp_path / "pictures"
    write(pictures, "a.png", encode(draw(1), "PNG"))
    states = (encode(draw(2, (8, 8)), "PNG"), b"letter", encode(draw(2, (9, 9)), "PNG"), encode(draw(2), "PNG"))
    for data, reason in zip(states, ("too_small", "format", "too_small", None), strict=True):
        write(pictures, "b.png", data)
        built = build(config_for(pictures), out, max_calls=0)
        dropped = [row.reason for row in read_records(out / "rejected.jsonl", Rejection)]
        assert dropped == list(built.counts[0].dropped.elements()) == ([reason] if reason else [])
    assert built.counts[0].through == 2
