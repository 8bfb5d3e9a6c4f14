"""Exploring and judging take the memory of a batch, whatever the number of samples."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from run_files import ENVIRONMENT

SCRIPT = Path(__file__).parent.parent / "scripts" / "memory.py"


def peaks(samples: int) -> dict[str, float]:
    done = subprocess.run([sys.executable, SCRIPT, str(samples)], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ten_times_the_samples_take_no_more_memory():
    few, many = peaks(1_000), peaks(10_000)
    # Their rows alone would be more than this: 42 MiB as text, several times that as records.
    assert many["rows_mib"] - few["rows_mib"] > 35
    assert many["explore_mib"] - few["explore_mib"] < 8 and many["judge_mib"] - few["judge_mib"] < 10
