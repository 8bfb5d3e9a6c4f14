"""Two processes do what one does, with a number of trees that does not divide evenly, and with trees that are split."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from updates import assert_equal_gradients

SCRIPT = Path(__file__).with_name("one_update.py")


def test_two_processes_make_the_update_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {"OMP_NUM_THREADS": "1"}
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    places = [shared, *(shared | together | {"RANK": str(r), "LOCAL_RANK": str(r)} for r in (0, 1))]
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    runs = [subprocess.Popen(command, env=place, stderr=subprocess.PIPE, text=True) for place in places]
    for run in runs:
        _, errors = run.communicate(timeout=240)
        assert run.returncode == 0, errors
    one, two = torch.load(tmp_path / "1.pt"), torch.load(tmp_path / "2.pt")
    for name in ("whole", "split", "tower"):
        (gradients, figures, evaluation), (other_gradients, other_figures, other_evaluation) = one[name], two[name]
        assert_equal_gradients(other_gradients, gradients)
        if name == "split":
            assert_equal_gradients(gradients, one["whole"][0])
        assert figures["trees"] == other_figures["trees"] == [3.0, 3.0]
        for key, values in figures.items():
            if "tokens" not in key:
                assert other_figures[key] == pytest.approx(values, abs=1e-6)
        assert other_evaluation == pytest.approx(evaluation, abs=1e-6)
    # The second process has a filler more to compute.
    assert two["whole"][1]["tokens"][0] > one["whole"][1]["tokens"][0] > 0
    assert one["whole"][1]["recomputed_tokens"] == [0, 0] and min(one["split"][1]["recomputed_tokens"]) > 100
