"""A model sharded over two processes by FSDP2 trains as a whole one does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from srpo.launch import shipped

SCRIPT = Path(__file__).with_name("sharded_update.py")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
ACCELERATE = ("-m", "accelerate.commands.launch", "--config_file", str(shipped()["fsdp2"]), "--num_processes", "2")


def trained(folder: Path, *words: str, sharded: bool) -> dict[str, torch.Tensor]:
    """Weights after the last update."""
    launcher = ACCELERATE if sharded else ()
    command = [sys.executable, *launcher, str(SCRIPT), str(folder), *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "checkpoint-3").glob("*model.safetensors")
    return load_file(file)


def losses(folder: Path) -> list[float]:
    rows = json.loads((folder / "checkpoint-3" / "trainer_state.json").read_text())["log_history"]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.parametrize("words", [(), ("adapters",)], ids=["full", "adapters"])
def test_fsdp2_makes_the_updates_of_one_process(tmp_path, words):
    whole, sharded = tmp_path / "whole", tmp_path / "sharded"
    expected = trained(whole, *words, sharded=False)
    found = trained(sharded, *words, sharded=True)
    assert json.loads((sharded / "kinds.json").read_text())[1:] == ["DTensor"]
    assert losses(sharded) == pytest.approx(losses(whole), abs=1e-6)
    assert set(found) == set(expected)
    for name, weight in expected.items():
        # Adapters are trained in split steps, whose norms are rounded elsewhere.
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-8 if words else 1e-12)
    if not words:
        shutil.rmtree(sharded / "checkpoint-3")
        for name, weight in trained(sharded, "resume", sharded=True).items():
            torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-12)
