"""Run by `test_killed.py`: trains on in a folder that holds a base model, and prints a line per update."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tiny
import torch
from transformers import AutoTokenizer

from srpo.run_config import RunConfig, TrainSettings
from srpo.stage_files import StageFiles
from srpo.systems import Start
from srpo.training import train

UPDATES = 12
SETTINGS = TrainSettings(
    max_steps=UPDATES,
    save_steps=3,
    logging_steps=1,
    warmup_steps=2,
    learning_rate=1e-3,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=2,
    max_contrasts=2,
    max_step_tokens=350,
)


@contextmanager
def _lines(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    count = done

    def advance(more: int) -> None:
        nonlocal count
        count += more
        if title.startswith("train"):
            print(count, flush=True)

    yield advance


def main(base: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    data = tiny.dataset(folder, AutoTokenizer.from_pretrained(base), 7, low=20, high=60)
    train(StageFiles(folder), RunConfig(train=SETTINGS), data, _lines, Start(str(base), None, seed=3))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
