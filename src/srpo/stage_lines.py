"""What a stage has left in the run folder, in a few lines for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from srpo.finished import samples_of
from srpo.records import read_records
from srpo.runs import RunFolder
from srpo.systems import trained_folder
from srpo.types import CATEGORIES, Completion, Sample


def describe(run: RunFolder, stage: str) -> list[str]:
    """A few lines on what a stage has left in the run folder."""
    if stage == "build":
        return _describe_samples(samples_of(run))
    files = {"explore": run.trees, "judge": run.verdicts, "train": trained_folder(run), "evaluate": run.results}
    if stage not in files:
        return []
    path = files[stage]
    count = "" if path.is_dir() else f", {len(path.read_bytes().splitlines())} rows"
    return [f"{stage}: {path}{count}", *(_describe_failures(run) if stage == "evaluate" else [])]


def _describe_failures(run: RunFolder) -> list[str]:
    failed = sum(response.finish == "error" for response in read_records(run.responses, Completion))
    return [f"  {failed} answers failed; `srpo evaluate {run.path}` asks for them again"] if failed else []


def _describe_samples(samples: Sequence[Sample]) -> list[str]:
    """How many samples of what kind, and one minimal set in words."""
    sizes = Counter(sample.split for sample in samples)
    categories = Counter(sample.category for sample in samples if sample.category)
    lines = [f"build: {len(samples)} samples, " + ", ".join(f"{name} {size}" for name, size in sizes.items())]
    lines.append("  unsafe together: " + ", ".join(f"{CATEGORIES[c]} {n}" for c, n in categories.most_common()))
    shown = [sample for sample in samples if sample.group == samples[0].group]
    for sample in shown:
        seen = sample.reference.steps[0].text.partition(": ")[2].strip()
        lines.append(f"  {sample.cell:<13}{seen} | {sample.question}")
    return lines
