"""Later rounds explore the model that the earlier ones have trained, and train it on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from run_files import SMALL, call, copy_of, report_of, rows_of, small, start
from srpo.errors import DataError
from srpo.progress import silent
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.stages import plan, run_stage
from srpo.stages.shards import Shard, merge_shards, run_shard
from srpo.systems import open_rounds, round_seed
from srpo.types import Tree

ROUND = ("trees.jsonl", "verdicts.jsonl", "contrasts.jsonl")
LORA = "train.lora={rank: 2, alpha: 4}"


def two_rounds(model: Path, *overrides: str) -> RunConfig:
    return small(model, "rounds=2", "world.train=2", "train.max_steps=2", "report.trees=1", *overrides)


def go(run: RunFolder, config: RunConfig, stages: list[str] | None = None) -> None:
    for name in stages or plan(config):
        run_stage(run, config, name, silent)


@pytest.fixture(scope="module")
def whole(tiny_model, tmp_path_factory) -> RunFolder:
    """Two rounds and all that follows, never interrupted."""
    config = two_rounds(tiny_model)
    run = start(tmp_path_factory.mktemp("runs") / "two", config)
    go(run, config)
    return run


@pytest.fixture
def config(tiny_model: Path) -> RunConfig:
    return two_rounds(tiny_model)


def files(run: RunFolder) -> dict[str, bytes]:
    """All rows and the last weights."""
    later = {f"round-2/{name}": (run.round(2).path / name).read_bytes() for name in ROUND}
    weights = next(run.round(2).trained.glob("*.safetensors")).read_bytes()
    return rows_of(run) | later | {"weights": weights}


def texts(round_: StageFiles) -> list[list[str]]:
    return [[tree.nodes[node].text for node in tree.branches] for tree in read_records(round_.trees, Tree)]


def test_each_round_has_its_own_trees_seed_and_model(whole, config):
    first, second = (read_records(whole.round(number).trees, Tree) for number in (1, 2))
    assert [tree.sample for tree in first] == [tree.sample for tree in second]
    assert not {tree.id for tree in first} & {tree.id for tree in second}
    assert {tree.seed for tree in first} == {config.seed} != {tree.seed for tree in second}
    assert {tree.seed for tree in second} == {round_seed(config, 2)}
    assert {tree.model for tree in first} == {"tiny"} and {tree.model for tree in second} == {"final"}
    trunks = [[tuple(tree.nodes[node].text for node in tree.trunk) for tree in trees] for trees in (first, second)]
    assert trunks[0] == trunks[1] and texts(whole.round(1)) != texts(whole.round(2))


def test_the_last_round_is_evaluated_and_every_round_reported(whole):
    report = report_of(whole)
    assert whole.read_manifest().inputs["round-2/checkpoint/final"]
    assert "checkpoint/final" not in whole.read_manifest().inputs
    branches = [
        sum(row["favourable"] + row["unfavourable"] + row["neutral"] + row["missing"] for row in rows)
        for rows in (report["exploration"]["prefixes"], report["exploration"]["round_2"])
    ]
    assert branches == [8 * 7 * 2] * 2
    assert [row["step"] for row in report["training"]["log"]] == [2, 4]
    assert "All items, round 2" in whole.report_html.read_text()


@pytest.mark.parametrize("begun", [1, 2], ids=["within-round-1", "within-round-2"])
def test_a_run_goes_on_in_the_round_where_it_was_stopped(whole, config, tmp_path, begun):
    run = copy_of(whole, tmp_path / "run", "results.jsonl", *(["round-2", "checkpoint"] if begun == 1 else []))
    if begun == 2:
        shutil.rmtree(run.round(2).checkpoint)
        rows = whole.round(2).trees.read_bytes().splitlines(keepends=True)
        run.round(2).trees.write_bytes(b"".join(rows[:3]) + rows[3][:40])
        run.round(2).verdicts.unlink()
    assert list(open_rounds(run, config)) == [1, 2][:begun]
    go(run, config, ["explore"])
    assert run.round(2).trees.exists() == (begun == 2)
    go(run, config)
    assert files(run) == files(whole) and report_of(run) == report_of(whole)


def test_a_stage_that_must_wait_for_another_says_which(whole, config, tmp_path):
    run = copy_of(whole, tmp_path / "run", "round-2")
    with pytest.raises(DataError, match=r"round-2/trees\.jsonl: no such file"):
        go(run, config, ["judge"])
    with pytest.raises(DataError, match=r"round-2/checkpoint/final: no trained model yet; run `srpo train"):
        go(run, config, ["evaluate"])


def test_shards_of_a_later_round(whole, config, tmp_path):
    run = copy_of(whole, tmp_path / "run", "results.jsonl")
    shutil.rmtree(run.round(2).path)
    for stage in ("explore", "judge"):
        for index in (1, 2):
            assert run_shard(run, config, stage, Shard(index, 2), silent).is_relative_to(run.round(2).path)
        merge_shards(run, config, stage, 2)
    go(run, config)
    assert files(run) == files(whole)


# --- What a later round begins with ---------------------------------------------------------------------------


def moved(folder: Path) -> dict[str, torch.Tensor]:
    """Shift all language weights of a trained model, so that it is neither the base nor what training gave."""
    file = next(folder.glob("*.safetensors"))
    tensors = {
        name: t + 0.05 if "q_proj" in name and "vision" not in name else t for name, t in load_file(file).items()
    }
    save_file(tensors, file, metadata={"format": "pt"})
    return tensors


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_later_round_trains_on_from_the_last_one(whole, tiny_model, tmp_path, lora):
    still = ("train.learning_rate=1e-12", *([LORA] if lora else []))
    config = two_rounds(tiny_model, *still)
    run = copy_of(whole, tmp_path / "run", "checkpoint", "round-2", "contrasts.jsonl")
    go(run, config, ["train"])
    before = moved(run.round(1).trained)
    go(run, config, ["explore", "judge", "train"])
    after = load_file(next(run.round(2).trained.glob("*.safetensors")))
    assert lora == (run.round(2).trained / "adapter_config.json").exists() == any("lora_A" in name for name in after)
    assert before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-7)
    assert json.loads((run.round(2).trained / "log.json").read_text())[-1]["step"] == 2


def test_adapters_go_on_learning(whole, tiny_model, tmp_path):
    config = two_rounds(tiny_model, LORA)
    run = copy_of(whole, tmp_path / "run", "checkpoint", "round-2", "responses.jsonl", "results.jsonl")
    go(run, config)
    first, second = (load_file(run.round(n).trained / "adapter_model.safetensors") for n in (1, 2))
    assert first.keys() == second.keys() and all(".language_model." in name or ".model." in name for name in first)
    assert any(not torch.equal(first[name], second[name]) for name in first)
    models = {tree.model for tree in read_records(run.round(2).trees, Tree)}
    assert models == {"tiny+final"} and report_of(run)["systems"].keys() == {"base", "srpo"}


# --- By command -----------------------------------------------------------------------------------------------


def test_demo_runs_all_rounds_and_fresh_deletes_them(whole, tiny_model, tmp_path):
    words = (f"model=hf:{tiny_model}", *SMALL, "rounds=2", "world.train=2", "train.max_steps=2", "report.trees=1")
    run = copy_of(whole, tmp_path / "run", "report.*", "results.jsonl")
    done = call("demo", "--out", run.path, "--resume", *words)
    assert done.returncode == 0, done.stderr
    assert f"train: {run.round(2).trained}" in done.stdout and files(run) == files(whole)
    refused = call("demo", "--out", run.path, "--fresh", f"model=hf:{tmp_path / 'none'}", *words[1:])
    assert refused.returncode == 2 and run.round(2).trees.exists()
