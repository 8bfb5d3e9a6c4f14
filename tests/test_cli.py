"""What a user sees on the terminal: one line per error, help with examples, and nothing deleted by accident."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from run_files import call, copy_of, error_line, small, start
from srpo import __version__
from srpo.cli import app, main
from srpo.cli.terminal import console, say
from srpo.runs import RunFolder

COMMANDS = [
    *([name] for name in ("demo", "init", "explore", "judge", "train", "evaluate", "report")),
    *(["world", name] for name in ("pretrain", "card")),
]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def srpo(monkeypatch, capsys):
    """The command line in this process: status, output and errors."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["srpo", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def failure(ended: tuple[int, str, str]) -> str:
    status, _, errors = ended
    return error_line(status, errors)


# --- Help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_by_example(words):
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert result.exit_code == 0 and "Example: srpo " + " ".join(words) in " ".join(result.output.split())


def test_help_of_all_lists_every_command():
    text = CliRunner().invoke(app, ["--help"]).output
    assert all(f" {words[0]} " in text for words in COMMANDS)


def test_version(srpo):
    assert srpo("--version") == (0, f"srpo {__version__}\n", "")


# --- Settings -------------------------------------------------------------------------------------------------


def test_unknown_key_names_the_nearest(srpo, tmp_path):
    error = failure(srpo("demo", "--out", tmp_path / "run", "train.learning_rat=1e-3"))
    assert "train.learning_rat" in error and "did you mean train.learning_rate?" in error
    assert not (tmp_path / "run").exists()


def test_unknown_key_in_a_file(srpo, tmp_path):
    (tmp_path / "own.yaml").write_text("sed: 1\n")
    error = failure(srpo("init", tmp_path / "run", "--config", tmp_path / "own.yaml"))
    assert "own.yaml" in error and "did you mean seed?" in error


def test_missing_config_file(srpo, tmp_path):
    assert "none.yaml: no such file" in failure(srpo("demo", "--config", tmp_path / "none.yaml"))


def test_changed_setting_on_resume_is_named(srpo, finished, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    error = failure(srpo("demo", "--out", run.path, "--resume", "--config", run.config, "train.max_steps=5"))
    assert "train.max_steps: 4 -> 5" in error and "seed" not in error


def test_a_server_cannot_be_trained(srpo, tmp_path):
    assert "cannot be trained" in failure(srpo("demo", "--out", tmp_path / "run", "model=openai:gpt"))
    assert not (tmp_path / "run").exists()


# --- Folders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["explore", "judge", "train", "evaluate", "report"])
def test_missing_folder_and_folder_that_is_no_run(srpo, tmp_path, stage):
    assert "no such folder" in failure(srpo(stage, tmp_path / "none"))
    assert "not a run folder" in failure(srpo(stage, tmp_path))


def test_errors_of_a_real_process_have_no_traceback(tmp_path):
    done = call("judge", tmp_path / "[red]none[/red] :smile:")
    assert "[red]none[/red] :smile:: no such folder" in error_line(done.returncode, done.stderr) and not done.stdout


def test_report_before_evaluate(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "results.jsonl")
    assert "results.jsonl: no such file; run the stage" in failure(srpo("report", run.path))


def test_demo_on_a_run_needs_a_word(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    before = sorted(run.path.rglob("*"))
    error = failure(srpo("demo", "--out", run.path))
    assert "--resume" in error and "--fresh" in error and sorted(run.path.rglob("*")) == before


def test_fresh_and_resume_exclude_each_other(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    assert "give one of them" in failure(srpo("demo", "--out", run.path, "--fresh", "--resume"))
    assert run.samples.exists()


def test_fresh_deletes_the_run_and_starts_anew(srpo, finished, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    empty = shutil.copytree(tiny_model, tmp_path / "empty", ignore=shutil.ignore_patterns("*.safetensors"))
    error = failure(srpo("demo", "--out", run.path, "--fresh", f"model=hf:{empty}", "world.train=1"))
    assert "no weights in this folder" in error
    assert run.samples.exists() and not run.trees.exists() and not run.report_html.exists()
    assert run.samples.read_bytes() != finished.samples.read_bytes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model=hf:/none", "no such model folder"),
        ("evaluate.judge={kind: model, model: 'hf:/none'}", "no such model folder"),
        ("instruction=none", "instruction 'none': no such prompt; choose one of"),
        ("samples=none.jsonl", "none.jsonl: no such file"),
        ("world.train=0", "no sample of split train"),
        ("evaluate.splits=[test_rules, mine]", "no sample of split mine"),
    ],
)
def test_fresh_deletes_nothing_for_settings_that_cannot_work(srpo, finished, tmp_path, setting, message):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    before = sorted(run.path.rglob("*"))
    assert message in failure(srpo("demo", "--out", run.path, "--fresh", setting))
    assert sorted(run.path.rglob("*")) == before
    assert message in failure(srpo("init", tmp_path / "new", setting)) and not (tmp_path / "new").exists()


def test_fresh_never_deletes_its_own_input(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    error = failure(srpo("demo", "--out", run.path, "--fresh", f"samples={run.samples}"))
    assert "the new run reads it, and --fresh would delete it" in error and run.trees.exists()


def somebody_elses(path: Path) -> Path:
    path.mkdir()
    (path / "config.yaml").write_text("theirs: 1\n")
    (path / "images").mkdir()
    (path / "images" / "holiday.png").write_bytes(b"x")
    return path


def test_fresh_never_deletes_a_folder_that_is_no_run(srpo, finished, tmp_path):
    theirs = somebody_elses(tmp_path / "theirs")
    assert "no manifest.json of a run" in failure(srpo("demo", "--out", theirs, "--fresh"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("x")
    assert "not a run folder" in failure(srpo("demo", "--out", tmp_path / "thesis", "--fresh"))
    assert (theirs / "images" / "holiday.png").exists() and (tmp_path / "thesis" / "thesis.tex").exists()


def test_fresh_spares_a_run_with_something_else_in_it(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    (run.path / "notes.txt").write_text("x")
    error = failure(srpo("demo", "--out", run.path, "--fresh"))
    assert "'notes.txt'" in error and "deletes nothing" in error and run.samples.exists()


@pytest.mark.parametrize("stage", ["explore", "judge", "train", "evaluate", "report"])
def test_settings_that_were_edited_after_the_start_are_refused(srpo, finished, tmp_path, stage):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    run.config.write_text(run.config.read_text().replace("seed: 0", "seed: 1"))
    assert "config.yaml: was edited after the run began" in failure(srpo(stage, run.path))
    words = ("demo", "--out", run.path, "--resume", "--config", run.config)
    assert "config.yaml: was edited after the run began" in failure(srpo(*words))


def test_nothing_that_is_printed_steers_the_terminal(capsys):
    say("a\x1b[2Jb\x9bc\u202ed\re\n[red]")
    assert capsys.readouterr().out == "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\n[red]\n"


# --- Data and models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "name"), [("judge", "samples.jsonl"), ("judge", "trees.jsonl"), ("report", "verdicts.jsonl")]
)
def test_cut_line_is_named_by_file_and_number(srpo, finished, tmp_path, stage, name):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    rows = (run.path / name).read_text().splitlines(keepends=True)
    (run.path / name).write_text("".join(rows[:3]) + rows[3][:50])
    error = failure(srpo(stage, run.path))
    assert f"{name}, line 4: not JSON" in error and "cut off" in error


def test_unreadable_picture_is_named(srpo, finished, tmp_path):
    shutil.copytree(finished.images, tmp_path / "images")
    shutil.copy(finished.samples, tmp_path / "mine.jsonl")
    picture = min((tmp_path / "images").iterdir())
    picture.write_bytes(b"no picture")
    error = failure(srpo("init", tmp_path / "run", f"samples={tmp_path / 'mine.jsonl'}"))
    assert picture.name in error and "not a readable image" in error


def test_missing_and_incomplete_model_folders(srpo, tiny_model, tmp_path):
    sizes = "world={train: 1, test_scenes: 1, test_combinations: 1, test_rules: 1}"
    for name, left_out, message in (
        ("none", None, "none: no such model folder"),
        ("no-processor", "*processor*", "no processor in this folder"),
        ("no-weights", "*.safetensors", "no weights in this folder"),
    ):
        folder = tmp_path / name
        if left_out:
            shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns(left_out))
        assert message in failure(srpo("demo", "--out", tmp_path / f"run-{name}", f"model=hf:{folder}", sizes))


# --- Stages ---------------------------------------------------------------------------------------------------


def test_init_shows_a_minimal_set_and_where_it_is(srpo, tiny_model, tmp_path):
    splits = "evaluate.splits=[test_combinations, test_rules]"
    status, output, errors = srpo("init", tmp_path / "run", "world.train=1", "world.test_scenes=0", splits)
    assert status == 0 and not errors
    assert "draw scenes: 0 of " in output and "test_rules 240" in output
    assert all(f"  {cell}" in output for cell in ("hazard", "benign_image", "benign_text", "benign_both"))
    assert output.endswith(f"samples in {tmp_path / 'run' / 'samples.jsonl'}\n")


def test_report_prints_the_table_the_verdict_and_the_path(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "report.*")
    status, output, errors = srpo("report", run.path)
    assert (status, errors) == (0, "")
    assert "Whole set right" in output and f"report: {run.report_html}" in output
    assert "srpo against base, greedy: no comparison of Whole set right, Safe reply" in output


def test_a_narrow_log_cuts_no_figure(srpo, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 40)
    run = copy_of(finished, tmp_path / "run", "report.*")
    _, output, _ = srpo("report", run.path)
    assert "Whole set right" in output and "\u2026" not in output


def test_settings_of_a_run_are_those_in_its_folder(srpo, tiny_model, tmp_path):
    run: RunFolder = start(tmp_path / "run", small(tiny_model, "samples=none.jsonl"))
    assert "samples.jsonl: no such file" in failure(srpo("explore", run.path))


# --- Settings that would be ignored ---------------------------------------------------------------------------


def test_resume_without_settings_keeps_those_of_the_run(srpo, finished, tmp_path):
    run = copy_of(finished, tmp_path / "run")
    before = run.config.read_bytes()
    status, output, _ = srpo("demo", "--out", run.path, "--resume")
    assert status == 0 and "report:" in output
    assert run.config.read_bytes() == before


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("judge={kind: oracle, false_safe: 0.3}", "error rates are for kind simulated"),
        ("judge={kind: model, model: 'hf:x/y', base_url: 'http://localhost:1/v1'}", "base_url is the server"),
        ("judge={kind: model, model: 'hf:x/y'}", "must not score"),
    ],
)
def test_a_judge_setting_that_would_be_ignored_is_an_error(srpo, tmp_path, override, named):
    assert named in failure(srpo("init", tmp_path / "run", override))


def test_pretraining_checks_its_folder_and_its_numbers_first(srpo, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be made" in failure(srpo("world", "pretrain", tmp_path / "file" / "model"))
    assert "vision_steps" in failure(srpo("world", "pretrain", tmp_path / "model", "vision_steps=0"))
