"""A tiny random model and a finished run of it, made once per test session; tests copy what they change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import run_files
from srpo.runs import RunFolder
from srpo.world.knowledge import load_world


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model folder: what it writes cannot be parsed, which is all that most stages need."""
    from transformers.utils import logging

    from srpo.world.pretrain import save
    from srpo.world.tiny import build_model, build_processor, build_tokenizer

    torch.set_num_threads(1)  # as in the processes that tests start
    logging.disable_progress_bar()
    tokenizer = build_tokenizer(load_world())
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save(build_model(tokenizer, 0), build_processor(tokenizer), folder)
    return folder


@pytest.fixture(scope="session")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """All stages of `run_files.small`, never interrupted."""
    config = run_files.small(tiny_model)
    run = run_files.start(tmp_path_factory.mktemp("runs") / "finished", config)
    run_files.go(run, config)
    return run
