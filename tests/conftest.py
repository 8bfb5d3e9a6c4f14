"""What many tests share: a tiny random model, a finished run of it (copied by who changes it), a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import ConsoleDimensions

import run_files
from srpo.runs import RunFolder
from srpo.world.knowledge import load_world

LONGEST = ("test_demo.py", "test_kills.py")
"""Files that would keep one process busy for minutes after the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True, scope="session")
def wide_terminal() -> None:
    """Tables in one piece, whatever COLUMNS and TERM were when the console was made."""
    from srpo.cli.terminal import console

    console.size = ConsoleDimensions(300, 100)


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


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright.

    One file only: as long as it lives, its event loop counts as running, and no other test could run one.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start here: {str(error).splitlines()[0]}")
        yield browser
        browser.close()
