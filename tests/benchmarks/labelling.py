"""Answers to labels and rates with a scripted judge, and pictures, for the tests of single benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from srpo.benchmarks.base import Benchmark
from srpo.benchmarks.judge import BenchmarkJudge
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.types import Completion, Item, Label, Protocol

Script = Callable[[Request], str]


def draw(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), "white").save(folder / name, "PNG")


def label(
    benchmark: Benchmark, protocol: Protocol, answers: Sequence[tuple[Item, str]], judge: Script | str | None = None
) -> list[Label]:
    """Labels of answers; an item that comes again is a further repeat.  `judge` is what the judge always says."""
    script = judge if callable(judge) else lambda request: str(judge)
    seen: dict[str, int] = {}
    pairs = []
    for item, text in answers:
        repeat = seen[item.id] = seen.get(item.id, -1) + 1
        name = f"{item.id}/{repeat}"
        pairs.append((item, Completion(id=name, sample=item.id, system="s", repeat=repeat, text=text, finish="stop")))
    model = None if judge is None else ScriptedModel(script)
    return BenchmarkJudge(benchmark.protocols[protocol], model).label(pairs)
