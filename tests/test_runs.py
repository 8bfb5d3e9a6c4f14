from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field

from srpo.config import Settings, load_config
from srpo.errors import ConfigError, DataError
from srpo.runs import RunFolder, installed_versions


class Train(Settings):
    epochs: int = 3
    learning_rate: float = 5e-5


class Config(Settings):
    seed: int = 0
    train: Train = Train()
    words: tuple[str, ...] = ("a",)
    weights: dict[str, float] = Field(default_factory=dict)


class Renamed(Settings):
    seed: int = 0
    training: Train = Train()


def started(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "runs" / "demo")
    run.save_config(Config())
    return run


def test_create_then_open_gives_the_same_run(tmp_path: Path) -> None:
    run = started(tmp_path)
    assert RunFolder.open(run.path) == run == RunFolder.create(run.path)
    assert load_config(run.config, [], Config) == Config()


def test_file_names_are_distinct_and_inside(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    files = [run.config, run.manifest, run.samples, run.images, run.trees, run.verdicts, run.contrasts]
    files += [run.checkpoint, run.responses, run.results, run.report_json, run.report_html]
    assert len(set(files)) == 12 and all(file.parent == tmp_path for file in files)


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(DataError, match=r"not a run folder.*start a run"):
        RunFolder.open(tmp_path)


def test_create_leaves_other_peoples_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match=r"thesis\.tex"):
        RunFolder.create(tmp_path)
    with pytest.raises(DataError, match="choose another path"):
        RunFolder.create(tmp_path / "thesis.tex")


def test_create_accepts_what_a_killed_start_left(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "r")
    with run.lock():
        pass
    (run.path / ".config.yaml.1.tmp").write_text("torn")
    RunFolder.create(run.path).save_config(Config())
    assert load_config(run.config, [], Config) == Config()


def test_second_run_in_the_folder_is_told_the_process(tmp_path: Path) -> None:
    run = started(tmp_path)
    with run.lock():
        with pytest.raises(DataError, match=f"in use by process {os.getpid()}") as caught, RunFolder(run.path).lock():
            pass
        assert "\n" not in str(caught.value)
    with run.lock():
        pass


def test_lock_is_released_by_an_exception(tmp_path: Path) -> None:
    run = started(tmp_path)
    with pytest.raises(KeyError), run.lock():
        raise KeyError
    with run.lock():
        pass


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    run = started(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from srpo.runs import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock():\n  print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(DataError, match=f"in use by process {other.pid};"), run.lock():
            pass
        other.send_signal(signal.SIGKILL)
    with run.lock():
        pass


def test_lock_without_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write there"), RunFolder(tmp_path / "none").lock():
        pass


def test_same_config_resumes(tmp_path: Path) -> None:
    run = started(tmp_path)
    before = run.config.read_bytes()
    run.save_config(Config())
    assert run.config.read_bytes() == before


def test_changed_config_is_refused_field_by_field(tmp_path: Path) -> None:
    run = started(tmp_path)
    before = run.config.read_bytes()
    changed = Config(train=Train(learning_rate=1e-4), words=("a", "b"), weights={"x": 1.0})
    with pytest.raises(ConfigError) as caught:
        run.save_config(changed)
    message = str(caught.value)
    assert "train.learning_rate: 5e-05 -> 0.0001" in message and "words: ['a'] -> ['a', 'b']" in message
    assert "weights" in message and "epochs" not in message and "seed" not in message and "\n" not in message
    assert run.config.read_bytes() == before


def test_added_and_removed_settings_are_changes_too(tmp_path: Path) -> None:
    run = started(tmp_path)
    with pytest.raises(ConfigError) as caught:
        run.save_config(Renamed())
    assert "train.epochs: 3 -> '(absent)'" in str(caught.value)
    assert "training.epochs: '(absent)' -> 3" in str(caught.value)


def test_manifest_tells_what_made_what(tmp_path: Path) -> None:
    run = started(tmp_path)
    outside = tmp_path / "source.jsonl"
    outside.write_text("{}\n")
    run.samples.write_text("row\n")
    (run.checkpoint / "sub").mkdir(parents=True)
    (run.checkpoint / "sub" / "weights.bin").write_bytes(b"\0" * 10)
    run.record_files(inputs=[outside], outputs=[run.samples])
    run.record_files(inputs=[run.samples], outputs=[run.checkpoint])
    run.record_seeds({"explore": 7})
    manifest = run.read_manifest()
    row_sha256 = hashlib.sha256(b"row\n").hexdigest()
    assert manifest.inputs == {str(outside): hashlib.sha256(b"{}\n").hexdigest(), "samples.jsonl": row_sha256}
    assert manifest.outputs["samples.jsonl"] == row_sha256 and set(manifest.outputs) == {"samples.jsonl", "checkpoint"}
    assert manifest.seeds == {"explore": 7}
    assert manifest.config_sha256 == hashlib.sha256(run.config.read_bytes()).hexdigest()
    assert json.loads(run.manifest.read_text())["versions"]["python"] == sys.version.split()[0]


def test_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.images.mkdir()

    def digest() -> str:
        run.record_files(outputs=[run.images])
        return run.read_manifest().outputs["images"]

    seen = [digest()]
    (run.images / "a.png").write_bytes(b"1")
    seen.append(digest())
    (run.images / "a.png").rename(run.images / "b.png")
    seen.append(digest())
    (run.images / "b.png").write_bytes(b"2")
    seen.append(digest())
    assert len(set(seen)) == 4 and digest() == seen[-1]


def test_file_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trees\.jsonl: cannot be hashed"):
        started(tmp_path).record_files(inputs=[tmp_path / "trees.jsonl"])


def test_seconds_add_up_when_a_stage_is_resumed(tmp_path: Path) -> None:
    run = started(tmp_path)
    for stage, seconds in [("explore", 1.5), ("train", 4.0), ("explore", 2.0)]:
        run.record_seconds(stage, seconds)
    assert RunFolder.open(run.path).read_manifest().seconds == {"explore": 3.5, "train": 4.0}


@pytest.mark.parametrize("text", ["", "{", '{"seconds": {"train": "long"}}', '{"other": 1}'])
def test_broken_manifest(tmp_path: Path, text: str) -> None:
    run = started(tmp_path)
    run.manifest.write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json.*delete"):
        run.record_seconds("train", 1.0)


def test_versions_name_what_is_installed_and_load_nothing() -> None:
    code = "import sys, srpo.runs as r; r.installed_versions(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    assert set(installed_versions()) <= {"python", "srpo", "torch", "transformers", "peft"}
