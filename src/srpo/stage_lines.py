"""What a stage has left in the run folder, in a few lines for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from srpo.finished import samples_of
from srpo.judge.families import kinship
from srpo.records import iterate_records
from srpo.run_config import REFUSE, RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.systems import spec_of
from srpo.types import CATEGORIES, Completion, Item, Sample


def describe(run: RunFolder, config: RunConfig, stage: str) -> list[str]:
    """A few lines on what a stage has left in the run folder."""
    if stage == "init":
        return [*_describe_samples(samples_of(run)), *_describe_items(run)]
    if stage == "evaluate":
        written = [path for path in (run.results, run.labels) if path.exists()]
        rows = [f"{stage}: {path}, {_rows(path)} rows" for path in written]
        return [*rows, *_describe_failures(run), *(f"  {words}" for words in family_lines(config))]
    rounds = [files for n in range(1, config.rounds + 1) if (files := run.round(n)).path.exists()]
    if stage == "train":
        return [line for files in rounds if files.trained.exists() for line in _describe_training(files, config)]
    found = [{"explore": files.trees, "judge": files.verdicts}.get(stage) for files in rounds]
    return [f"{stage}: {path}, {_rows(path)} rows" for path in found if path is not None and path.exists()]


def _describe_training(files: StageFiles, config: RunConfig) -> list[str]:
    lines = [f"train: {files.trained}"]
    if config.train.loss_type != "sft" and not _rows(files.contrasts):
        lines.append(f"  {files.contrasts} is empty, so training saw reference paths alone; look at the verdicts")
    return lines


def _rows(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _describe_failures(run: RunFolder) -> list[str]:
    failed = sum(response.finish == "error" for response in iterate_records(run.responses, Completion))
    return [f"  {failed} answers failed; `srpo evaluate {run.path}` asks for them again"] if failed else []


def family_lines(config: RunConfig) -> list[str]:
    """What to mind about the families of judges that are models."""
    judges = [judge for judge in config.scoring_judges if judge.kind == "model"]
    judges += [judge for name in config.benchmarks for judge in config.judges_of(name)]
    names = list(dict.fromkeys(str(judge.model) for judge in judges))
    return kinship(names, {name: spec_of(config, name) for name in config.evaluate.systems if name != REFUSE})


def _describe_items(run: RunFolder) -> list[str]:
    """How many items of which benchmark."""
    items = iterate_records(run.items, Item) if run.items.exists() else ()
    sizes = Counter(item.benchmark for item in items)
    return ["init: items of " + ", ".join(f"{name} {size}" for name, size in sizes.items())] if sizes else []


def _describe_samples(samples: Sequence[Sample]) -> list[str]:
    """How many samples of what kind, and one minimal set in words."""
    if not samples:
        return []
    sizes = Counter(sample.split for sample in samples)
    categories = Counter(sample.category for sample in samples if sample.category)
    lines = [f"init: {len(samples)} samples, " + ", ".join(f"{name} {size}" for name, size in sizes.items())]
    lines.append("  unsafe together: " + ", ".join(f"{CATEGORIES[c]} {n}" for c, n in categories.most_common()))
    shown = [sample for sample in samples if sample.group == samples[0].group]
    for sample in shown:
        seen = sample.reference.steps[0].text.partition(": ")[2].strip()
        lines.append(f"  {sample.cell:<13}{seen} | {sample.question}")
    return lines
