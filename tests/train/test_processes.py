"""Two processes do what one does, with a number of trees that does not divide evenly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

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
    gradients, figures, evaluation = torch.load(tmp_path / "1.pt")
    other_gradients, other_figures, other_evaluation = torch.load(tmp_path / "2.pt")
    for name, gradient in gradients.items():
        torch.testing.assert_close(other_gradients[name], gradient, rtol=1e-9, atol=1e-12)
    assert set(gradients) == set(other_gradients)
    assert figures["trees"] == other_figures["trees"] == [3.0, 3.0]
    for key, values in figures.items():
        assert other_figures[key] == pytest.approx(values, abs=1e-6)
    assert other_evaluation == pytest.approx(evaluation, abs=1e-6)
