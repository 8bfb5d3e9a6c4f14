"""Runs of inspect_ai in this process, with a provider whose texts are written by a test."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, get_model, modelapi

from run_files import RECIPES, go, start
from srpo.config import load_config
from srpo.run_config import RunConfig
from srpo.runs import RunFolder

SETTINGS = (
    *("world.train=1", "world.test_scenes=3", "world.test_combinations=0", "world.test_rules=0"),
    *("evaluate.splits=[test_scenes]", "evaluate.max_new_tokens=128", "evaluate.systems=[base]"),
    "evaluate.sampled=false",
)


def small_run(path: Path) -> RunFolder:
    config = load_config(RECIPES / "demo.yaml", list(SETTINGS), RunConfig)
    run = start(path, config)
    go(run, config, ["init", "evaluate"])
    return run


Written = Callable[[str, GenerateConfig], str | ModelOutput]
"""Text of the request -> what the model writes."""


@modelapi(name="written")
class WrittenModel(ModelAPI):
    """Says what `write` returns, and keeps the seeds that it was given."""

    def __init__(self, model_name: str, write: Written, **rest: Any) -> None:
        super().__init__(model_name)
        self.write = write
        self.pictures: list[str] = []
        self.seeds: dict[str, int | None] = {}

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        words = input[-1].text
        self.pictures += [part.image for part in input[-1].content_list if part.type == "image"]
        self.seeds[words] = config.seed
        found = self.write(words, config)
        output = found if isinstance(found, ModelOutput) else ModelOutput.from_content("written", found)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output


@contextmanager
def untidy() -> Iterator[None]:
    """inspect_ai leaves streams open; they go here, or they would fail whatever test runs when they are collected.

    What it says of libraries that it uses in their old way would be an error of every sample.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()


def ask(task: Task, folder: Path, model: str | Written, **options: Any) -> EvalLog:
    """The log of one task.  Pictures are left out of it."""
    asked = model if isinstance(model, str) else get_model("written/x", write=model, memoize=False)
    with untidy():
        return eval(task, model=asked, log_dir=str(folder), display="none", log_images=False, **options)[0]


def size_of(log: EvalLog) -> int:
    return os.path.getsize(log.location.removeprefix("file://"))


def numbers(log: EvalLog) -> Mapping[str, float]:
    """The rates in a log."""
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
