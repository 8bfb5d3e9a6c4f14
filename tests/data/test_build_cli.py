"""`srpo build` as a process: killed at any moment, refused in one line, and sparing of words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from build_world import build, contents, overrides_for, settings_for, world
from typer.testing import CliRunner

from chat_server import Answer
from srpo.cli.build import app
from srpo.config import dump_config
from srpo.records import read_records
from srpo.types import DraftSet

COMMAND = [sys.executable, "-m", "srpo", "build"]


def start(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        **options,
    )


def run(*words: str) -> subprocess.CompletedProcess[str]:
    process = start(*words)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def written(path: Path, pool: Path, url: str, *overrides: str) -> str:
    """A configuration file."""
    path.write_text(dump_config(settings_for(pool, url, *overrides)), encoding="utf-8")
    return str(path)


def test_killed_again_and_again_gives_the_same_bytes(pool: Path, whole: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of the 3rd, 25th, 60th and 101st call; every start goes on."""
    out = tmp_path / "out"
    running: list[subprocess.Popen[str]] = []
    kills = {3, 25, 60, 101}

    def kill(payload: dict[str, Any], number: int) -> Answer | None:
        if number in kills:
            running[-1].kill()
        return None

    with world(pool, kill) as server:
        config = written(tmp_path / "ssui.yaml", pool, server.base_url)
        ends = []
        for _ in range(len(kills) + 1):
            running.append(start(config, "--out", str(out)))
            _, err = running[-1].communicate(timeout=120)
            ends.append(running[-1].returncode)
            if running[-1].returncode == 0:
                break
        assert ends[-1] == 0, err
        assert ends.count(-9) == len(kills)
        calls = len(server.payloads)
    assert contents(out) == contents(whole)
    assert calls < 141 + 16 * len(kills) * 3  # what a kill costs is bounded: the calls under way


def test_a_torn_row_is_made_again(pool: Path, whole: Path, tmp_path: Path) -> None:
    """As a kill in the middle of a write leaves it; the cache answers what was asked."""
    out = tmp_path / "out"
    with world(pool) as server:
        config = settings_for(pool, server.base_url)
        build(config, out)
        calls = len(server.payloads)
        for name in ("reflection", "rejected", "usage", "sources"):
            path = out / f"{name}.jsonl"
            path.write_bytes(path.read_bytes()[:-9])
        for name in ("cells", "samples", "sets"):
            (out / f"{name}.jsonl").unlink()
        build(config, out)
        assert len(server.payloads) == calls
    assert contents(out) == contents(whole)


def test_a_preview_then_the_rest(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with world(pool) as server:
        config = written(tmp_path / "ssui.yaml", pool, server.base_url)
        done = run(config, "--out", str(out), "--limit", "2", "--max-calls", "4")
        assert done.returncode == 3, done.stderr
        assert len(server.payloads) == 4
        assert "--max-calls 4 is reached" in done.stdout and f"--out {out}" in done.stdout
        done = run(config, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(whole)
    row = next(line for line in done.stdout.splitlines() if "adjudication" in line and "│" in line)
    assert len(read_records(out / "reflection.jsonl", DraftSet)) == int(row.split("│")[2])
    assert "8 samples:" in done.stdout


def test_a_dry_run_asks_nobody(pool: Path, tmp_path: Path) -> None:
    with world(pool) as server:
        config = written(tmp_path / "ssui.yaml", pool, server.base_url)
        done = run(config, "--dry-run", "--out", str(tmp_path / "out"))
        assert server.payloads == []
    assert done.returncode == 0, done.stderr
    assert "estimate for 6 pictures" in done.stdout and "judge_path" in done.stdout
    assert not (tmp_path / "out").exists()


def test_the_folder_is_named_after_the_configuration(pool: Path, tmp_path: Path) -> None:
    with world(pool) as server:
        written(tmp_path / "photos.yaml", pool, server.base_url)
        process = start("photos.yaml", "--limit", "1", "--max-calls", "0", cwd=tmp_path)
        process.communicate(timeout=120)
    assert (tmp_path / "runs" / "photos" / "sources.jsonl").exists()


def test_errors_are_one_line(pool: Path, whole: Path, tmp_path: Path) -> None:
    config = written(tmp_path / "ssui.yaml", pool, "http://127.0.0.1:9/v1")
    changed = run(config, "seed=4", "--out", str(whole))
    assert changed.returncode == 2 and "seed: 0 -> 4" in changed.stderr and changed.stderr.count("\n") == 1
    dead = run(config, "--out", str(tmp_path / "out"))
    assert dead.returncode == 2 and dead.stderr.count("\n") == 1
    assert "models.agent (http://127.0.0.1:9/v1): all 6 requests failed, first: error: cannot reach" in dead.stderr
    unknown = run(config, "checks.vote=3", "--out", str(tmp_path / "out"))
    assert unknown.returncode == 2 and "did you mean checks.votes?" in unknown.stderr


def test_shipped_recipes_are_settings(tmp_path: Path) -> None:
    """The first word may be a name."""
    done = run("ssui-openai", "images.folder=nowhere", "images.licence=CC0-1.0", "--dry-run")
    assert done.returncode == 2 and "images.folder" in done.stderr and "nowhere" in done.stderr


def test_help_says_how() -> None:
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
    overview, stages = (runner.invoke(app, words).output for words in (["--help"], ["dataset", "--help"]))
    assert "CONFIG | COMMAND" in overview
    assert all(option in stages for option in ("--limit", "--dry-run", "--max-cost", "--max-calls", "Example"))


def test_what_is_saved_reads_back(pool: Path, whole: Path) -> None:
    saved = yaml.safe_load((whole / "config.yaml").read_text(encoding="utf-8"))
    assert saved["images"]["folder"] in overrides_for(pool, "x")[1] and saved["checks"]["votes"] == 1
