"""Every stage alone, on the files of a run folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from run_files import (
    ROWS,
    copy_of,
    go,
    report_of,
    rows_of,
    small,
    start,
    write_responses,
    write_trees,
)
from srpo.errors import ConfigError, DataError, JudgeError, ModelError
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import STAGES, read_report, run_stage
from srpo.types import Contrast, Result, Sample, Tree, Verdict


@pytest.fixture
def config(tiny_model: Path) -> RunConfig:
    return small(tiny_model)


def built(finished: RunFolder, path: Path) -> RunFolder:
    """A run of which only the samples are there."""
    left = [name for name in ROWS if name != "samples.jsonl"]
    return copy_of(finished, path, *left, "checkpoint", "report.*", "manifest.json")


def test_a_run_leaves_every_file_and_its_hash(finished):
    manifest = finished.read_manifest()
    assert set(manifest.outputs) >= {"samples.jsonl", "trees.jsonl", "verdicts.jsonl", "checkpoint/final"}
    assert set(manifest.outputs) >= {"responses.jsonl", "results.jsonl"}
    assert set(manifest.seconds) == set(STAGES)
    assert not list(finished.checkpoint.glob("*.part"))
    assert report_of(finished)["config_sha256"] == manifest.config_sha256


def test_same_seed_gives_the_same_files_and_the_same_report(finished, config, tmp_path):
    again = start(tmp_path / "again", config)
    go(again, config)
    assert rows_of(again) == rows_of(finished)
    assert report_of(again) == report_of(finished)


def test_a_finished_run_is_left_as_it_is(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run")
    go(run, config)
    assert rows_of(run) == rows_of(finished) and report_of(run) == report_of(finished)


@pytest.mark.parametrize("name", list(STAGES)[1:])
def test_a_stage_before_its_turn_names_what_is_missing(config, tmp_path, name):
    run = start(tmp_path / "run", config)
    with pytest.raises(DataError, match=r"no such file; run the stage|no trained model yet"):
        go(run, config, [name])


def test_evaluate_asks_for_the_trained_model_before_any_work(finished, config, tmp_path):
    run = built(finished, tmp_path / "run")
    with pytest.raises(DataError, match=r"no trained model yet; run `srpo train"):
        go(run, config, ["evaluate"])
    assert not run.responses.exists()


def test_bars_count_every_branch_and_answer_once(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "trees.jsonl", "responses.jsonl", "results.jsonl")
    seen: dict[str, list[int]] = {}

    @contextmanager
    def counting(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
        yield seen.setdefault(title, [total, done]).append

    for name in ("explore", "judge", "evaluate"):
        run_stage(run, config, name, counting)
    counts = {title: (total, done + sum(steps)) for title, (total, done, *steps) in seen.items()}
    assert counts["explore branches"] == (16 * 7 * 2,) * 2
    assert counts["answer as base"] == counts["answer as srpo"] == (12 * 2,) * 2
    assert counts["judge answers"] == (2 * 2 * 24,) * 2


# --- Files as a better model would have left them -------------------------------------------------------------


@pytest.fixture
def taught(finished, config, tmp_path) -> RunFolder:
    run = built(finished, tmp_path / "taught")
    write_trees(run)
    return run


def test_judge_tells_good_branches_from_bad_ones(taught, config):
    go(taught, config, ["judge"])
    verdicts = read_records(taught.verdicts, Verdict)
    assert [(v.node, bool(v.safe and v.effective)) for v in verdicts] == [(7, True), (8, False)] * 16


def test_another_judge_adds_verdicts_and_leaves_the_others(taught, tiny_model, config):
    go(taught, config, ["judge"])
    before = taught.verdicts.read_bytes()
    other = small(tiny_model, "judge={kind: simulated, false_safe: 1.0, false_unsafe: 1.0}")
    go(taught, other, ["judge"])
    after = taught.verdicts.read_bytes()
    assert after.startswith(before) and len(after.splitlines()) == 2 * len(before.splitlines())
    go(taught, other, ["judge"])
    assert taught.verdicts.read_bytes() == after


def test_training_learns_from_contrasts(taught, config):
    go(taught, config, ["judge", "train"])
    contrasts = read_records(taught.contrasts, Contrast)
    assert {(c.prefix, c.chosen, c.rejected) for c in contrasts} == {(0, 7, 8)} and len(contrasts) == 16
    rows = json.loads((taught.checkpoint / "final" / "log.json").read_text())
    logged = [row for row in rows if "loss" in row]
    assert [row["step"] for row in logged] == [2, 3, 4]
    assert sum(row["contrasts"] for row in logged) == 4 * 4
    assert logged[-1]["reference_loss"] < logged[0]["reference_loss"]


def test_contrasts_follow_the_judge_of_the_settings(taught, tiny_model, config):
    go(taught, config, ["judge"])
    other = small(tiny_model, "judge={kind: simulated, failure_rate: 0.5}")
    go(taught, other, ["judge", "train"])
    assert 0 < len(read_records(taught.contrasts, Contrast)) < 16


def test_adapters_are_trained_and_evaluated(taught, tiny_model):
    config = small(tiny_model, "train.lora={rank: 2, target_modules: [q_proj]}", "train.max_steps=2")
    go(taught, config, ["judge", "train", "evaluate"])
    assert (taught.checkpoint / "final" / "adapter_config.json").exists()
    assert not (taught.checkpoint / "final" / "model.safetensors").exists()
    assert len(read_records(taught.results, Result)) == 2 * 2 * 12


def test_report_of_a_better_model(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "responses.jsonl", "results.jsonl", "report.*")
    write_responses(run)
    go(run, config, ["evaluate", "report"])
    report = read_report(run)
    assert (report.systems["base"]["safe"].value, report.systems["srpo"]["safe"].value) == (0.0, 1.0)
    assert (report.systems["base"]["joint4"].value, report.systems["srpo"]["joint4"].value) == (0.0, 1.0)
    assert report.systems["srpo"]["effective_benign"].n == 9 and set(report.splits) == set(config.evaluate.splits)
    compared = {(c.metric, c.decoding): c.difference for c in report.comparisons}
    assert compared["format_failure", "sampled"] == 0.0 and compared["safe", "greedy"] == 1.0
    assert "<html" in run.report_html.read_text()


def test_results_of_another_judge_are_kept_apart(finished, config, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "responses.jsonl", "results.jsonl")
    write_responses(run)
    go(run, config, ["evaluate"])
    other = small(tiny_model, "evaluate.judge={kind: simulated, false_safe: 1.0}")
    go(run, other, ["evaluate", "report"])
    assert len(read_records(run.results, Result)) == 2 * 48
    assert read_report(run).systems["base"]["safe"].value == 1.0


# --- Servers and own samples ----------------------------------------------------------------------------------


def test_a_model_on_a_server_is_refused_before_training(taught, tiny_model):
    with pytest.raises(ConfigError, match="cannot be trained"):
        go(taught, RunConfig(model="openai:gpt"), ["train"])


class Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def refusing_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_a_server_that_refuses_everything_stops_the_stage_and_leaves_no_answers(
    finished, config, tmp_path, refusing_server
):
    run = copy_of(finished, tmp_path / "run", "responses.jsonl", "results.jsonl")
    with pytest.raises(ModelError, match=r"all 24 requests failed, first: .*401"):
        go(run, config.model_copy(update={"model": "openai:any", "base_url": refusing_server}), ["evaluate"])
    assert not run.responses.exists()


def own_samples(finished: RunFolder, folder: Path) -> Path:
    """A samples file with pictures beside it, as a user would have it."""
    shutil.copytree(finished.images, folder / "images")
    shutil.copy(finished.samples, folder / "mine.jsonl")
    return folder / "mine.jsonl"


def test_own_samples_with_relative_paths(finished, tiny_model, tmp_path):
    mine = own_samples(finished, tmp_path / "data")
    config = small(tiny_model, f"samples={mine}")
    run = start(tmp_path / "run", config)
    go(run, config, ["build", "explore"])
    samples = read_records(run.samples, Sample)
    assert samples[0].image.path == str(tmp_path / "data" / read_records(mine, Sample)[0].image.path)
    explored = [(tree.sample, [node.text for node in tree.nodes]) for tree in read_records(run.trees, Tree)]
    expected = [(tree.sample, [node.text for node in tree.nodes]) for tree in read_records(finished.trees, Tree)]
    assert explored == expected
    assert str(mine) in run.read_manifest().inputs


@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_own_picture_that_cannot_be_read_is_named(finished, tiny_model, tmp_path, damage):
    mine = own_samples(finished, tmp_path / "data")
    sample = read_records(mine, Sample)[0]
    picture = tmp_path / "data" / sample.image.path
    content = picture.read_bytes()
    picture.unlink()
    if damage != "missing":
        picture.write_bytes(content[: len(content) // 2] if damage == "cut" else b"no picture")
    config = small(tiny_model, f"samples={mine}")
    run = start(tmp_path / "run", config)
    with pytest.raises(DataError, match="not a readable image") as caught:
        go(run, config, ["build"])
    assert picture.name in str(caught.value) and sample.id in str(caught.value)
    assert not run.samples.exists()


def test_own_samples_given_twice_or_not_at_all(finished, tiny_model, tmp_path):
    mine = own_samples(finished, tmp_path / "data")
    rows = mine.read_text().splitlines(keepends=True)
    for text, message in (("".join([*rows, rows[3]]), f"line {len(rows) + 1}: .*line 4"), ("", "holds no sample")):
        mine.write_text(text)
        config = small(tiny_model, f"samples={mine}")
        with pytest.raises(DataError, match=message):
            go(start(tmp_path / str(len(text)), config), config, ["build"])


def test_own_samples_need_a_judge_that_can_see(finished, tiny_model, tmp_path):
    mine = own_samples(finished, tmp_path / "data")
    write_records(mine, [s.model_copy(update={"scene": None}) for s in read_records(mine, Sample)])
    config = small(tiny_model, f"samples={mine}")
    with pytest.raises(ConfigError, match=r"judge\.kind oracle: reads drawn scenes only"):
        go(start(tmp_path / "run", config), config, ["build"])


def test_a_judge_of_which_everything_fails_stops_the_stage(taught, config):
    write_records(taught.samples, [s.model_copy(update={"scene": None}) for s in read_records(taught.samples, Sample)])
    with pytest.raises(JudgeError, match="all 32 judgements failed, first: the sample has no drawn scene"):
        go(taught, config, ["judge"])
    assert not taught.verdicts.exists()
