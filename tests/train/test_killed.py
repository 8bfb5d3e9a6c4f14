"""Training that is killed at any update and started again logs what an unbroken run logs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import killed_run


def rows(folder: Path) -> list[dict[str, Any]]:
    """Log rows of the updates, all their figures included."""
    log = json.loads((folder / "checkpoint" / "final" / "log.json").read_text())
    return [row for row in log if "loss" in row]


def started(base: Path, folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, killed_run.__file__, str(base), str(folder)]
    place = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place)


def killed_after(update: int, base: Path, folder: Path) -> list[str]:
    """Lines that a run printed before it was killed, some time after it finished an update."""
    lines = []
    with started(base, folder) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            lines.append(line)
            if line == f"{update}\n":
                time.sleep(random.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL, process.stderr.read()
    return lines


def test_a_killed_run_goes_on_as_if_it_had_not_been(idefics3, tmp_path):
    model, processor = idefics3
    base = tmp_path / "base"
    model.save_pretrained(base)
    processor.save_pretrained(base)
    killed_run.main(base, tmp_path / "whole")
    update = random.Random(time.time_ns()).randint(1, killed_run.UPDATES - 3)
    print(f"killed after update {update}")
    broken = tmp_path / "broken"
    assert len(killed_after(update, base, broken)) < killed_run.UPDATES
    assert not (broken / "checkpoint" / "final").exists()
    with started(base, broken) as process:
        out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert int(out.split()[0]) <= update + 2
    assert rows(broken) == rows(tmp_path / "whole")
    assert len(rows(broken)) == killed_run.UPDATES and sum(row["recomputed_tokens"] for row in rows(broken)) > 0
    whole, ours = (f / "checkpoint" / "final" / "model.safetensors" for f in (tmp_path / "whole", broken))
    assert whole.read_bytes() == ours.read_bytes()
