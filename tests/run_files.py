"""Small runs, and files of runs written by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import srpo
from srpo.config import load_config
from srpo.progress import silent
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import STAGES, run_stage
from srpo.steps import ANSWER, MARKERS
from srpo.types import Completion, Node, Sample, Sampling, Tree

SMALL = (
    *("world.train=4", "world.test_scenes=1", "world.test_combinations=1", "world.test_rules=1"),
    *("explore.branches_per_prefix=2", "explore.samples_per_batch=2", "explore.sampling.max_new_tokens=24"),
    *("train.max_steps=4", "train.save_steps=2", "train.logging_steps=3", "train.warmup_steps=1"),
    *("train.per_device_train_batch_size=4", "train.gradient_accumulation_steps=1", "train.learning_rate=1e-3"),
    *("evaluate.max_new_tokens=24", "report.trees=2", "report.example_sets=1"),
)
"""Settings of a run of a few seconds."""

RECIPES = Path(srpo.__file__).parent / "recipes"
ROWS = ("samples.jsonl", "trees.jsonl", "verdicts.jsonl", "contrasts.jsonl", "responses.jsonl", "results.jsonl")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}


def small(model: Path, *overrides: str) -> RunConfig:
    return load_config(RECIPES / "demo.yaml", [f"model=hf:{model}", *SMALL, *overrides], RunConfig)


def start(path: Path, config: RunConfig) -> RunFolder:
    run = RunFolder.create(path)
    run.save_config(config)
    run.record_seeds({"run": config.seed, "world": config.world.seed})
    return run


def go(run: RunFolder, config: RunConfig, stages: Iterable[str] = STAGES) -> None:
    for name in stages:
        run_stage(run, config, name, silent)


def copy_of(run: RunFolder, path: Path, *left_out: str) -> RunFolder:
    """A copy of a run without some of its files."""
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns(".lock", *left_out))
    return RunFolder(path)


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "srpo", *map(str, words)]


def demo(model: Path, out: Path, *more: str) -> list[str]:
    """The command of a demo with the settings of `small`."""
    return command("demo", "--out", out, f"model=hf:{model}", *SMALL, *more)


def call(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, env=ENVIRONMENT, **options)


def rows_of(run: RunFolder, names: Sequence[str] = ROWS) -> dict[str, bytes]:
    return {name: (run.path / name).read_bytes() for name in names}


def report_of(run: RunFolder) -> dict[str, object]:
    """The report without what may differ between two runs."""
    return {key: value for key, value in json.loads(run.report_json.read_text()).items() if key != "seconds"}


def error_line(status: int, errors: str) -> str:
    """The one line that a failed command leaves on standard error."""
    assert status == 2 and errors.startswith("error: ") and errors.count("\n") == 1, (status, errors)
    return errors.strip()


# --- Files as a good model would have left them ---------------------------------------------------------------


def with_answer(sample: Sample, reply: str) -> str:
    """The reference path with another final answer."""
    return "".join(step.text for step in sample.reference.steps[:-1]) + MARKERS[ANSWER] + " " + reply


def good_and_bad(sample: Sample, others: Sequence[Sample]) -> tuple[str, str]:
    """The reference path, and one whose reply overlooks the risk (hazard) or sees one (benign)."""
    if sample.cell == "hazard":
        return sample.reference.text, with_answer(sample, str(sample.unsafe_reply))
    warning = next(other for other in others if other.cell == "hazard").reference.steps[-1].text
    return sample.reference.text, "".join(step.text for step in sample.reference.steps[:-1]) + warning


def write_trees(run: RunFolder) -> list[Tree]:
    """One tree per training sample with a good and a bad branch from the prompt."""
    samples = [sample for sample in read_records(run.samples, Sample) if sample.split == "train"]
    trees = []
    for sample in samples:
        steps = enumerate(sample.reference.steps)
        trunk = [Node(parent=i - 1 if i else None, text=step.text, sampled=False) for i, step in steps]
        texts = good_and_bad(sample, samples)
        branches = [Node(parent=None, text=text, sampled=True, finish="stop") for text in texts]
        nodes = (*trunk, *branches)
        trees.append(Tree(id=f"t-{sample.id}", sample=sample.id, nodes=nodes, model="m", sampling=Sampling(), seed=0))
    write_records(run.trees, trees)
    return trees


def write_responses(run: RunFolder) -> None:
    """The base gets every held-out sample wrong and the trained model every one right."""
    samples = [sample for sample in read_records(run.samples, Sample) if sample.split != "train"]
    rows = []
    for number, system in ((1, "base"), (0, "srpo")):
        for decoding in ("greedy", "sampled"):
            for s in samples:
                labels = {"sample": s.id, "system": system, "decoding": decoding, "finish": "stop"}
                text = good_and_bad(s, samples)[number]
                rows.append(Completion(id=f"{system}:{decoding}:{s.id}", text=text, **labels))
    write_records(run.responses, rows)
