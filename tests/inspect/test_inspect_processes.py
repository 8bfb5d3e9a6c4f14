"""inspect_ai as a user starts it: from the command line, without a network, and again after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from run_files import ENVIRONMENT
from srpo.inspect import records_from_log
from srpo.records import read_records
from srpo.runs import RunFolder
from srpo.types import Result

NO_NETWORK = """
import socket
class Offline(socket.socket):
    def connect(self, address):
        if self.family != socket.AF_UNIX:
            raise RuntimeError(f"connects to {address}")
        return super().connect(address)
    connect_ex = connect
def refuse(*where, **rest):
    raise RuntimeError(f"looks up {where}")
socket.socket, socket.getaddrinfo = Offline, refuse
"""
"""Run by the interpreter before anything else: whoever phones home fails."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return ENVIRONMENT | {"PYTHONPATH": path, "XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}


def test_an_evaluation_goes_on_after_a_kill(measured: RunFolder, tmp_path: Path, environment: dict[str, str]) -> None:
    calls, logs = tmp_path / "calls", tmp_path / "logs"
    command = [sys.executable, str(Path(__file__).with_name("mortal.py")), str(measured.path), str(logs), str(calls)]
    killed = subprocess.run([*command, "8"], env=environment, capture_output=True, text=True)
    assert killed.returncode == 9 and len(calls.read_text().split()) == 8, killed.stderr
    again = subprocess.run([*command, "0"], env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    seeds = calls.read_text().split()
    assert len(set(seeds)) == 12 and 12 < len(seeds) <= 14, "what was answered before the kill is not asked again"
    newest = max(logs.glob("*.eval"), key=lambda path: path.stat().st_mtime)
    log = read_eval_log(str(newest))
    assert log.status == "success" and len(records_from_log(log, Result)) == 12


@pytest.mark.skipif(
    "srpo" not in {entry.name for entry in entry_points(group="inspect_ai")},
    reason='the installed srpo names no entry point for inspect_ai; install it again (pip install -e ".[dev]")',
)
def test_the_command_line_finds_tasks_and_models(
    measured: RunFolder, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The first command of `docs/engines.md`, and the same with a mistake."""
    logs = tmp_path / "logs"
    judge = json.dumps({"kind": "simulated", "false_unsafe": 1.0})
    command = [str(Path(sys.executable).with_name("inspect")), "eval", "srpo/rsbench", "--model", "srpo/embedded"]
    command += ["--no-log-images", "--log-dir", str(logs), "--display", "plain", "-T", f"judge={judge}", "-T"]
    done = subprocess.run([*command, f"run={measured.path}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = logs.glob("*.eval")
    results = {row.sample: row for row in records_from_log(read_eval_log(str(file)), Result)}
    exact = {row.sample: row for row in read_records(measured.results, Result)}
    assert results.keys() == exact.keys() and all(row.judge.startswith("simulated") for row in results.values())
    assert {row.answer_effective for row in results.values()} == {row.answer_effective for row in exact.values()}
    assert not any(row.answer_safe for row in results.values()) and "unclosed" not in done.stderr.lower()
    wrong = subprocess.run([*command, "run=none"], env=environment, capture_output=True, text=True)
    assert wrong.returncode != 0 and "no such folder" in wrong.stdout + wrong.stderr
    assert "Traceback" not in wrong.stdout + wrong.stderr
