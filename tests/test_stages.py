"""Every stage alone, on the files of a run folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
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
from srpo.judge.base import JudgeItem
from srpo.own_samples import read_own_samples
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_lines import describe
from srpo.stages import STAGES, read_report, run_stage
from srpo.systems import load_judge
from srpo.types import Completion, Contrast, Result, Sample, Tree, Verdict
from srpo.world import OracleJudge


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


# --- Files that are not finished, or no longer of this run ----------------------------------------------------


def keep_rows(path: Path, count: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:count]))


@pytest.mark.parametrize(
    ("name", "stage", "message"),
    [
        ("trees.jsonl", "judge", r"explore is not finished \(4 of 16 trees\); run `srpo explore"),
        ("trees.jsonl", "train", r"explore is not finished \(4 of 16 trees\)"),
        ("verdicts.jsonl", "train", r"judge is not finished \(4 of 224 branches\); run `srpo judge"),
        ("verdicts.jsonl", "report", r"judge is not finished"),
        ("results.jsonl", "report", r"evaluate is not finished \(4 of 48 results\); run `srpo evaluate"),
    ],
)
def test_a_stage_refuses_what_is_not_finished(finished, config, tmp_path, name, stage, message):
    run = copy_of(finished, tmp_path / "run")
    keep_rows(run.path / name, 4)
    with pytest.raises(DataError, match=message):
        go(run, config, [stage])


@pytest.mark.parametrize("stage", ["train", "report"])
def test_verdicts_that_changed_after_training_are_noticed(taught, config, stage):
    go(taught, config, ["judge", "train", "evaluate"])
    verdicts = read_records(taught.verdicts, Verdict)
    lost = {"safe": None, "effective": None, "failure": "unparsed"}
    write_records(taught.verdicts, [verdicts[0].model_copy(update=lost), *verdicts[1:]])
    with pytest.raises(DataError, match="trees or verdicts have changed since training; delete it"):
        go(taught, config, [stage])


@pytest.mark.parametrize("stage", ["evaluate", "report"])
def test_answers_of_another_model_are_not_taken_for_those_of_this_one(finished, config, tmp_path, stage):
    run = copy_of(finished, tmp_path / "run")
    weights = run.checkpoint / "final" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    with pytest.raises(DataError, match=r"holds answers of another model .*; delete it and .*results\.jsonl"):
        go(run, config, [stage])


def test_answers_that_failed_are_asked_for_again(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run")
    rows = read_records(run.responses, Completion)
    failed = rows[3].model_copy(update={"text": "", "finish": "error", "error": "the server is gone"})
    write_records(run.responses, [*rows[:3], failed, *rows[4:]])
    assert describe(run, config, "evaluate")[1].startswith("  1 answers failed; `srpo evaluate")
    go(run, config, ["evaluate"])
    assert {r.id: r for r in read_records(run.responses, Completion)} == {r.id: r for r in rows}
    results = {r.completion: r for r in read_records(run.results, Result)}
    assert results == {r.completion: r for r in read_records(finished.results, Result)}


ON_SERVERS = [f"{name}={{kind: model, model: openai:{name}}}" for name in ("judge", "evaluate.judge")]


class FailsOnce(OracleJudge):
    """Has a time-out at the first item that it is ever asked for."""

    asked = 0

    def judge(self, items: Sequence[JudgeItem], progress: Callable[[int], None] | None = None) -> list[Verdict]:
        first, *others = super().judge(items, progress)
        if not self.asked:
            first = first.model_copy(update={"safe": None, "effective": None, "failure": "timeout"})
        self.asked += len(items)
        return [first, *others]


def test_training_without_contrasts_says_so(finished, config):
    assert not finished.contrasts.read_bytes()
    assert "contrasts.jsonl is empty, so training saw reference paths alone" in describe(finished, config, "train")[1]


@pytest.mark.parametrize(("stage", "rows"), [("judge", 32), ("evaluate", 48)])
def test_a_judge_that_failed_is_asked_again(finished, tiny_model, tmp_path, monkeypatch, stage, rows):
    run = copy_of(finished, tmp_path / "run", "verdicts.jsonl", "contrasts.jsonl", "results.jsonl")
    write_trees(run)
    write_responses(run)
    judge = FailsOnce()
    where = "judge" if stage == "judge" else "scores"
    monkeypatch.setattr(f"srpo.stages.{where}.load_judge", lambda *_, **__: judge)
    config = small(tiny_model, *ON_SERVERS)
    path, kind, calls = (run.verdicts, Verdict, 1) if stage == "judge" else (run.results, Result, 2)
    for failures, asked in (([0], rows * calls), ([], (rows + 1) * calls), ([], (rows + 1) * calls)):
        go(run, config, [stage])
        read = read_records(path, kind)
        assert [i for i, row in enumerate(read) if row.failure] == failures
        assert len(read) == rows and judge.asked == asked


@pytest.mark.parametrize("stage", ["judge", "evaluate"])
def test_a_judge_may_be_gone_once_nothing_is_left(finished, tiny_model, tmp_path, stage):
    run = copy_of(finished, tmp_path / "run")
    gone = [setting.replace("}", ", base_url: 'http://127.0.0.1:9/v1'}") for setting in ON_SERVERS]
    config = small(tiny_model, *gone, "server_timeout_seconds=5")
    path, kind = (run.verdicts, Verdict) if stage == "judge" else (run.results, Result)
    setting = config.judge if stage == "judge" else config.evaluate.judge
    name = load_judge(config, setting, config.seed, labels_branches=stage == "judge").name
    rows = [row.model_copy(update={"judge": name}) for row in read_records(path, kind)]
    write_records(path, rows)
    go(run, config, [stage])
    assert read_records(path, kind) == rows
    write_records(path, rows[:-1])
    with pytest.raises(ModelError, match="does not answer"):
        go(run, config, [stage])


def test_verdicts_that_training_has_begun_with_are_not_asked_for_again(taught, tiny_model, monkeypatch):
    judge = FailsOnce()
    monkeypatch.setattr("srpo.stages.judge.load_judge", lambda *_: judge)
    config = small(tiny_model, *ON_SERVERS, "train.max_steps=2")
    go(taught, config, ["judge", "train"])
    before = taught.verdicts.read_bytes()
    go(taught, config, ["judge", "train"])
    assert taught.verdicts.read_bytes() == before and judge.asked == 32


@pytest.mark.parametrize("damage", ["cut", "empty"])
@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_a_damaged_model_is_named(finished, config, tmp_path, damage, stage):
    run = copy_of(finished, tmp_path / "run", "responses.jsonl", "results.jsonl")
    weights = run.checkpoint / "final" / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        shutil.rmtree(weights.parent)
        weights.parent.mkdir()
    with pytest.raises(DataError, match="final: the weights are damaged or not there; delete this folder"):
        go(run, config, [stage])


@pytest.mark.parametrize("text", [None, "", '[{"loss"', "3"], ids=["absent", "empty", "cut", "number"])
def test_a_damaged_training_curve_is_named(finished, config, tmp_path, text):
    run = copy_of(finished, tmp_path / "run", "log.json", "manifest.json")
    if text is not None:
        (run.checkpoint / "final" / "log.json").write_text(text)
    with pytest.raises(DataError, match=r"log\.json: not a training curve .*; delete .*final"):
        go(run, config, ["report"])


def test_torn_samples_and_lost_pictures_are_mended_by_building_again(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "images")
    go(run, config, ["init"])
    pictures = {path.name: path.read_bytes() for path in finished.images.iterdir()}
    assert {path.name: path.read_bytes() for path in run.images.iterdir()} == pictures
    run.samples.write_bytes(run.samples.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"delete .*samples\.jsonl and run `srpo init` again"):
        go(run, config, ["explore"])


# --- Training that cannot work --------------------------------------------------------------------------------


def test_a_training_that_diverges_is_no_success(taught, tiny_model):
    config = small(tiny_model, "train.learning_rate=1e30", "train.max_grad_norm=1e30", "train.warmup_steps=0")
    go(taught, config, ["judge"])
    with pytest.raises(ModelError, match=r"training diverged: .* at update \d"):
        go(taught, config, ["train"])
    assert not (taught.checkpoint / "final").exists()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("train.lora={target_modules: [none]}", ConfigError, r"train\.lora\.target_modules none: do not fit the model"),
        ("train.max_length=8", DataError, "raise max_length or drop the tree"),
    ],
)
def test_settings_that_do_not_fit_the_model(taught, tiny_model, setting, error, message):
    config = small(tiny_model, setting)
    with pytest.raises(error, match=message):
        go(taught, config, ["judge", "train"])


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
    with pytest.raises(ModelError, match=r"refuses a plain request .*401"):
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
    go(run, config, ["init", "explore"])
    samples = read_records(run.samples, Sample)
    assert samples[0].image.path == str(tmp_path / "data" / read_records(mine, Sample)[0].image.path)
    explored = [(tree.sample, [node.text for node in tree.nodes]) for tree in read_records(run.trees, Tree)]
    expected = [(tree.sample, [node.text for node in tree.nodes]) for tree in read_records(finished.trees, Tree)]
    assert explored == expected
    assert str(mine) in run.read_manifest().inputs


def test_a_run_of_own_samples_goes_on_from_another_folder(finished, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(own_samples(finished, tmp_path / "data").parent)
    config = small(tiny_model, "samples=mine.jsonl")
    run = start(tmp_path / "run", config)
    go(run, config, ["init"])
    monkeypatch.chdir(tmp_path)
    go(run, config, ["init"])
    assert "mine.jsonl" in run.read_manifest().inputs


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
        go(run, config, ["init"])
    assert picture.name in str(caught.value) and sample.id in str(caught.value)
    assert not run.samples.exists()


def test_own_samples_given_twice_or_not_at_all(finished, tiny_model, tmp_path):
    mine = own_samples(finished, tmp_path / "data")
    rows = mine.read_text().splitlines(keepends=True)
    for text, message in (("".join([*rows, rows[3]]), f"line {len(rows) + 1}: .*line 4"), ("", "holds no sample")):
        mine.write_text(text)
        config = small(tiny_model, f"samples={mine}")
        with pytest.raises(DataError, match=message):
            go(start(tmp_path / str(len(text)), config), config, ["init"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": "rudeness"}, "unknown category 'rudeness'; choose one of dangerous_behavior"),
        ({"reference": {"steps": []}}, "reference must be the six steps and the answer, .*; got nothing"),
        ({"reference": {"steps": [{"name": "answer", "text": "Final answer: no"}]}}, "got answer"),
        ({"question": "what is <image>?"}, "holds '<image>', which models take for a picture"),
        ({"question": "x <|image_pad|>"}, r"holds '<\|image_pad\|>'"),
        ({"question": "\ud800"}, "cannot be written as JSON"),
    ],
)
def test_own_samples_that_no_stage_could_use(finished, tiny_model, tmp_path, change, message):
    mine = own_samples(finished, tmp_path / "data")
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    rows[2] |= change
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=f"mine.jsonl, .*{message}"):
        read_own_samples(mine, small(tiny_model))


@pytest.mark.parametrize(
    ("change", "message"), [({"path": "a\0b"}, "not a readable image .*null"), ({"width": 7}, "is 96 x 96 pixels, but")]
)
def test_own_pictures_that_are_not_as_stated(finished, tiny_model, tmp_path, change, message):
    mine = own_samples(finished, tmp_path / "data")
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    rows[0]["image"] |= change
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=message):
        read_own_samples(mine, small(tiny_model))


@pytest.mark.parametrize(
    ("line", "message"), [("\n", "line 2: is blank; delete it"), ("[" * 100000 + "\n", "line 2: nested too deeply")]
)
def test_own_lines_that_are_no_rows(finished, tiny_model, tmp_path, line, message):
    mine = own_samples(finished, tmp_path / "data")
    rows = mine.read_text().splitlines(keepends=True)
    mine.write_text("".join([rows[0], line, *rows[1:]]))
    with pytest.raises(DataError, match=message):
        read_own_samples(mine, small(tiny_model))


def test_own_samples_need_a_judge_that_can_see(finished, tiny_model, tmp_path):
    mine = own_samples(finished, tmp_path / "data")
    write_records(mine, [s.model_copy(update={"scene": None}) for s in read_records(mine, Sample)])
    config = small(tiny_model, f"samples={mine}")
    with pytest.raises(ConfigError, match=r"judge\.kind oracle: reads drawn scenes only"):
        go(start(tmp_path / "run", config), config, ["init"])


def test_a_judge_of_which_everything_fails_stops_the_stage(taught, config):
    write_records(taught.samples, [s.model_copy(update={"scene": None}) for s in read_records(taught.samples, Sample)])
    with pytest.raises(JudgeError, match="all 32 judgements failed, first: the sample has no drawn scene"):
        go(taught, config, ["judge"])
    assert not taught.verdicts.exists()


def test_a_simulated_judge_that_always_fails_is_told_apart_from_an_outage(taught, tiny_model):
    with pytest.raises(JudgeError, match="start a run with a lower failure_rate"):
        go(taught, small(tiny_model, "judge={kind: simulated, failure_rate: 1.0}"), ["judge"])
