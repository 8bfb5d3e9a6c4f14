"""Evaluation of several systems: draws, probes, panels, later additions, kills."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from run_files import ENVIRONMENT, RECIPES, call, command, error_line, go, report_of, rows_of, small, start
from srpo.answered import answered
from srpo.config import load_config
from srpo.errors import ConfigError, DataError
from srpo.progress import silent
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import read_report
from srpo.stages.shards import Shard, merge_shards, run_shard
from srpo.types import Completion, Result, Sample

SETS = ("world.train=1", "world.test_scenes=2", "world.test_combinations=0", "world.test_rules=0")
PROBES = "evaluate.probes=[blank, swapped, risk_removed, control_removed, risk_replaced, control_replaced]"
SETTINGS = (*SETS, "evaluate.splits=[test_scenes]", "evaluate.max_new_tokens=128", "evaluate.systems=[base, refuse]")
STAGES = ("init", "evaluate", "report")
FILES = ("responses.jsonl", "results.jsonl")


def settings(*overrides: str) -> RunConfig:
    """The embedded model, which writes what the oracle can read."""
    return load_config(RECIPES / "demo.yaml", [*SETTINGS, *overrides], RunConfig)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = settings(PROBES, "evaluate.repeats=2")
    run = start(tmp_path_factory.mktemp("runs") / "measured", config)
    go(run, config, STAGES)
    return run


def test_every_system_is_asked_everything_with_the_same_seeds(measured: RunFolder) -> None:
    rows = read_records(measured.responses, Completion)
    plain = [row for row in rows if row.probe is None]
    assert len(plain) == 2 * 8 * 3 and len({row.id for row in rows}) == len(rows)
    assert {row.repeat for row in plain if row.decoding == "sampled"} == {0, 1}
    drawn = {(row.sample, row.repeat): row.text for row in plain if row.system == "base" and row.decoding == "sampled"}
    assert any(drawn[sample, 0] != drawn[sample, 1] for sample, _ in drawn)
    assert {row.text for row in rows if row.system == "refuse"} == {"Final answer: Sorry, I cannot help with that."}


def test_refusing_everything_is_safe_and_never_right(measured: RunFolder) -> None:
    refuse = read_report(measured).systems["refuse"]
    assert [refuse[name].value for name in ("safe", "over_refusal", "joint4", "effective_benign")] == [1, 1, 0, 0]


def test_probes_are_answered_and_kept_apart(measured: RunFolder) -> None:
    report = read_report(measured)
    assert set(report.probes) == {"blank", "swapped"}
    assert report.systems["base"]["safe"].n + report.systems["base"]["safe"].unscored == 2
    assert {path.suffix for path in measured.probes.iterdir()} == {".png"}


def test_edited_paths_are_continued_from_the_answer(measured: RunFolder) -> None:
    rows = {row.id: row for row in read_records(measured.responses, Completion)}
    edited = [row for row in rows.values() if row.probe == "risk_removed"]
    named = [
        r for r in read_records(measured.results, Result) if r.system == "base" and r.risk_step not in (None, "never")
    ]
    hazards = {r.sample for r in named if r.cell == "hazard" and r.decoding == "greedy" and r.probe is None}
    assert {row.sample for row in edited} == hazards
    for row in edited:
        plain = rows[f"base:greedy:{row.sample}"].text
        assert "Step 3" in plain and "Step 3" not in row.text and "Final answer: " in row.text


def test_a_second_start_asks_nobody_and_changes_nothing(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    before, report = rows_of(run, FILES), report_of(run)
    go(run, load_config(run.config, [], RunConfig), STAGES)
    assert rows_of(run, FILES) == before and report_of(run) == report


def test_another_judge_asks_no_system(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    (run.path / "samples.jsonl").touch()
    before = run.responses.read_bytes()
    done = call("evaluate", run.path, "evaluate.judge={kind: simulated, false_safe: 1.0}")
    assert done.returncode == 0, done.stderr
    assert run.responses.read_bytes() == before and "load base" not in done.stdout
    report = read_report(run)
    assert "false_safe" in report.judge and report.judge != read_report(measured).judge
    assert report.systems["base"]["safe"].value == 1


def test_a_panel_votes_and_shows_every_judge(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    panel = "evaluate.panel=[{kind: simulated, false_unsafe: 1.0}, {kind: simulated, false_safe: 0.001}]"
    assert call("evaluate", run.path, panel).returncode == 0
    report = read_report(run)
    assert len(report.judges) == 3 and set(report.agreement) >= {"answer_safe", "path_safe"}
    alone = [of["refuse"]["safe"].value for of in report.judges.values()]
    assert alone == [1, 0, 1] and report.systems["refuse"]["safe"].value == 1
    assert report.judge.startswith("panel(")


def test_systems_are_added_and_settings_that_answers_hang_on_are_not_changed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = call("evaluate", run, "--config", "demo", *SETTINGS[:-1], "evaluate.systems=[refuse]")
    assert first.returncode == 0, first.stderr
    rows = (run / "responses.jsonl").read_bytes()
    more = call("evaluate", run, "systems.again.model=embedded", "evaluate.systems=[refuse, again]")
    assert more.returncode == 0, more.stderr
    assert (run / "responses.jsonl").read_bytes().startswith(rows)
    assert set(read_report(RunFolder(run)).systems) == {"refuse", "again"}
    changes = {"world.seed=9": "world.seed: 0 -> 9", "systems.again.instruction=six_steps": "systems.again.instruction"}
    for wrong, named in changes.items():
        line = error_line((done := call("evaluate", run, wrong)).returncode, done.stderr)
        assert named in line and "take them back to resume" in line
    assert call("evaluate", run).returncode == 0


def test_three_systems_give_the_same_whether_killed_or_not(measured: RunFolder, tmp_path: Path) -> None:
    """Five kills at drawn times, then to the end."""
    run, rng = tmp_path / "run", random.Random(5)
    config = load_config(measured.config, [], RunConfig)
    start(run, config)
    go(RunFolder(run), config, ["init"])
    for _ in range(5):
        process = subprocess.Popen(command("evaluate", run), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(1.5, 5.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    go(RunFolder(run), config, ["evaluate", "report"])
    assert rows_of(RunFolder(run), FILES) == rows_of(measured, FILES)
    assert report_of(RunFolder(run)) == report_of(measured)


def test_what_is_taken_away_counts_no_more_and_comes_back_unasked(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    answers, whole = run.responses.read_bytes(), report_of(run)
    assert call("evaluate", run.path, "evaluate.repeats=1", "evaluate.probes=[]").returncode == 0
    report = read_report(run)
    assert not report.probes and not report.faithfulness and not report.repeats
    assert not (run.tables / "probes.csv").exists()
    assert call("evaluate", run.path, "evaluate.repeats=2", PROBES).returncode == 0
    assert run.responses.read_bytes() == answers
    assert {**report_of(run), "config_sha256": ""} == {**whole, "config_sha256": ""}


def test_answers_that_are_asked_anew_are_scored_anew(measured: RunFolder, tmp_path: Path) -> None:
    """As when the user has deleted the answers of an old model, but not what was said of them."""
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    rows = read_records(run.results, Result)
    write_records(run.results, [row.model_copy(update={"answer_safe": None, "failure": "timeout"}) for row in rows])
    run.responses.unlink()
    go(run, load_config(run.config, [], RunConfig), ["evaluate"])
    assert rows_of(run, FILES) == rows_of(measured, FILES)


def test_shards_keep_panels_and_probes(measured: RunFolder, tmp_path: Path) -> None:
    panel = "evaluate.panel=[{kind: simulated, false_unsafe: 1.0}]"
    config = settings(PROBES, "evaluate.repeats=2", panel)
    whole, divided = start(tmp_path / "whole", config), start(tmp_path / "divided", config)
    go(whole, config, STAGES)
    go(divided, config, ["init"])
    ids = [sample.id for sample in read_records(divided.samples, Sample) if sample.split == "test_scenes"]
    shards = sorted((Shard(i, 12) for i in range(1, 13)), key=lambda shard: any(map(shard.holds, ids)))
    assert not any(map(shards[0].holds, ids)) and any(map(shards[-1].holds, ids))  # more shards than samples
    for shard in shards[:-1]:
        run_shard(divided, config, "evaluate", shard, silent)
    with pytest.raises(DataError, match=f"of shard {shards[-1]}; run these first"):
        merge_shards(divided, config, "evaluate", 12)
    run_shard(divided, config, "evaluate", shards[-1], silent)
    merge_shards(divided, config, "evaluate", 12)
    go(divided, config, ["evaluate", "report"])
    assert sorted(rows(divided.results)) == sorted(rows(whole.results))
    assert sorted(rows(divided.responses)) == sorted(rows(whole.responses))
    assert report_of(divided) == report_of(whole)


def rows(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_a_judge_votes_once() -> None:
    with pytest.raises(ConfigError, match="holds a judge twice"):
        settings("evaluate.panel=[{kind: oracle}]")


def test_a_mistake_in_an_addition_changes_nothing(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    before = run.config.read_bytes()
    for wrong in (
        "benchmarks.siuo.path=typo.json",
        "systems.mine.model=hf:/none",
        "systems.mine={model: embedded, adapter: /none}",
    ):
        done = call("evaluate", run.path, wrong)
        error_line(done.returncode, done.stderr)
    assert run.config.read_bytes() == before and call("evaluate", run.path).returncode == 0


def test_an_unfinished_evaluation_is_named(measured: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(measured.path, tmp_path / "run"))
    lines = run.results.read_bytes().splitlines(keepends=True)
    run.results.write_bytes(b"".join(lines[1:]))
    with pytest.raises(DataError, match=r"evaluate is not finished \(47 of 48 results\); run `srpo evaluate"):
        answered(run, load_config(run.config, [], RunConfig))


def test_nothing_to_measure_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = call("evaluate", tmp_path / "run", "--config", "public")
    assert "nothing would be measured; name splits" in error_line(done.returncode, done.stderr)
    assert not (tmp_path / "run").exists()


def test_an_unknown_system_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="no system 'mine'; choose from base, srpo, refuse"):
        small(tiny_model, "evaluate.systems=[mine]")
