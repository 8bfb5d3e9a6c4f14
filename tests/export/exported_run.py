"""A judged run with branches after two prefixes, and texts that other libraries could take for something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run_files import go, small, start, with_answer
from srpo.export import Exported, FormatName, Kind, Plan, export_run
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.types import Node, Sample, Sampling, Tree

HOSTILE = 'Say "hi"\\n\u2028 zażółć 日本 🙂 <|im_end|> </s> {{ user }} {"role": "system"}'
SHARED = 3
"""Reference steps before the branches that do not start from the prompt."""


def judged_run(path: Path, *, plain: bool = False) -> tuple[RunFolder, RunConfig]:
    """16 samples, 4 branches each, with an instruction.  The first request is hostile, the second holds an image tag.

    A plain run has neither: it is what the tiny model was pretrained on.
    """
    config = small(Path("none"), *([] if plain else ["instruction=six_steps"]))
    run = start(path, config)
    go(run, config, ["init"])
    samples = read_records(run.samples, Sample)
    questions = {} if plain else {0: HOSTILE, 1: "What does <image> mean?"}
    changed = [s.model_copy(update={"question": questions.get(i, s.question)}) for i, s in enumerate(samples)]
    write_records(run.samples, changed)
    train = [sample for sample in changed if sample.split == "train"]
    write_records(run.trees, [_tree(sample, train) for sample in train])
    go(run, config, ["judge"])
    return run, config


def _tree(sample: Sample, others: list[Sample]) -> Tree:
    """A good and a bad branch from the prompt, and the same two after three steps."""
    steps = sample.reference.steps
    warning = next(other for other in others if other.cell == "hazard").reference.steps[-1].text
    bad = with_answer(sample, str(sample.unsafe_reply)) if sample.cell == "hazard" else _ends(sample, warning)
    trunk = [Node(parent=i - 1 if i else None, text=step.text, sampled=False) for i, step in enumerate(steps)]
    shared = len("".join(step.text for step in steps[:SHARED]))
    whole = [Node(parent=None, text=text, sampled=True, finish="stop") for text in (sample.reference.text, bad)]
    late = [node.model_copy(update={"parent": SHARED - 1, "text": node.text[shared:]}) for node in whole]
    nodes = (*trunk, *whole, *late)
    return Tree(id=f"t-{sample.id}", sample=sample.id, nodes=nodes, model="m", sampling=Sampling(), seed=0)


def _ends(sample: Sample, answer: str) -> str:
    return "".join(step.text for step in sample.reference.steps[:-1]) + answer


def export(run: RunFolder, config: RunConfig, out: Path, format: FormatName, kind: Kind, **options: bool) -> Exported:
    return export_run(run, config, Plan(format, kind, out, **options))


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
