"""Files that a stage has finished, read for the stages after it; an unfinished one is an error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from srpo.errors import DataError
from srpo.explore import PrefixYield, build_contrasts
from srpo.records import iterate_places, iterate_records, read_records
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder
from srpo.types import Completion, Contrast, Probe, Sample, Tree, Verdict


def answer_id(system: str, subject: str, decoding: str, repeat: int = 0, probe: Probe | None = None) -> str:
    """Id of a system's answer to a sample or item."""
    drawn = f"{decoding}#{repeat}" if repeat else decoding
    return ":".join(part for part in (system, drawn, probe, subject) if part)


def samples_of(run: RunFolder) -> list[Sample]:
    """All samples of the run.  Raises DataError that says how to mend a broken file."""
    return [sample for _, sample in _samples(run)]


def of_splits(run: RunFolder, splits: Sequence[str]) -> list[Sample]:
    """The run's samples of some splits.  Raises DataError if one of the splits has none."""
    samples = samples_of(run)
    _check_splits(run, splits, {sample.split for sample in samples})
    return [sample for sample in samples if sample.split in splits]


def training_samples(run: RunFolder) -> Iterator[Sample]:
    """The samples to explore and train on, one by one.  Raises DataError if there is none."""
    return (sample for _, sample in _training_samples(run))


def places_of_samples(run: RunFolder) -> dict[str, int]:
    """Training sample -> the byte of `samples.jsonl` where its row begins, in their order."""
    return {sample.id: place for place, sample in _training_samples(run)}


def check_explored(run: RunFolder, samples: Collection[str], number: int = 1) -> None:
    """Raises DataError if a training sample has no tree of a round, or a tree no sample."""
    trees = run.round(number).trees
    wanted, found = set(samples), {tree.sample for tree in iterate_records(trees, Tree)}
    if wanted - found:
        count = f"{len(wanted & found)} of {len(wanted)} trees"
        raise DataError(f"{trees}: explore is not finished ({count}); run `srpo explore {run.path}` first")
    if found - wanted:
        problem = f"holds a tree of {min(found - wanted)}, which is no training sample of {run.samples}"
        raise DataError(f"{trees}: {problem}; delete it and run `srpo explore {run.path}` again")


def trees_of(run: RunFolder, samples: Iterable[Sample], number: int = 1) -> list[Tree]:
    """The trees of all training samples in a round.  Raises DataError if one is missing."""
    check_explored(run, [sample.id for sample in samples], number)
    return read_records(run.round(number).trees, Tree)


def contrasts_of(run: RunFolder, config: RunConfig, number: int = 1) -> tuple[list[Contrast], list[list[PrefixYield]]]:
    """Contrasts of all trees of a round under the run's judge, and the yield of each tree."""
    samples = {sample.id: sample for sample in of_splits(run, ("train",))}
    trees = trees_of(run, samples.values(), number)
    verdicts = verdicts_of(run, trees, number)
    contrasts: list[Contrast] = []
    yields: list[list[PrefixYield]] = []
    for tree in trees:
        sample = samples[tree.sample]
        found, counts = build_contrasts(tree, verdicts.get(tree.id, []), sample, config.contrasts, seed=config.seed)
        contrasts += found
        yields.append(counts)
    return contrasts, yields


def verdicts_of(run: RunFolder, trees: Sequence[Tree], number: int = 1) -> dict[str, list[Verdict]]:
    """Verdicts by tree, of the judge that judged last in a round.  Raises DataError if a branch has none."""
    file = run.round(number).verdicts
    rows = read_records(file, Verdict)
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in rows:
        if verdict.judge == rows[-1].judge:
            verdicts.setdefault(verdict.subject, []).append(verdict)
    judged = {(verdict.subject, verdict.node) for of_tree in verdicts.values() for verdict in of_tree}
    branches = [(tree.id, node) for tree in trees for node in tree.branches]
    left = sum(branch not in judged for branch in branches)
    if left:
        count = f"{len(branches) - left} of {len(branches)} branches"
        raise DataError(f"{file}: judge is not finished ({count}); run `srpo judge {run.path}` first")
    return verdicts


def check_contrasts(run: RunFolder, contrasts: Sequence[Contrast], number: int = 1) -> None:
    """Raises DataError if the contrasts of training are not those that trees and verdicts of a round give now."""
    files = run.round(number)
    if read_records(files.contrasts, Contrast) != list(contrasts):
        problem = "trees or verdicts have changed since training"
        mend = f"delete it and {files.checkpoint}, then run `srpo train {run.path}` again"
        raise DataError(f"{files.contrasts}: {problem}; {mend}")


def check_responses(run: RunFolder, config: RunConfig, responses: Iterable[Completion]) -> None:
    """Raises DataError if the trained model has answered and is another one by now."""
    trained = run.round(config.rounds).trained
    if any(response.system == TRAINED for response in responses) and run.input_changed(trained):
        problem = f"holds answers of another model than the one in {trained}"
        scored = " and ".join(str(path) for path in (run.results, run.labels) if path.exists()) or run.results
        mend = f"delete it and {scored}, then run `srpo evaluate {run.path}` again"
        raise DataError(f"{run.responses}: {problem}; {mend}")


def _samples(run: RunFolder) -> Iterator[tuple[int, Sample]]:
    try:
        yield from iterate_places(run.samples, Sample)
    except DataError as error:
        if not run.samples.exists():
            raise
        raise DataError(f"{error}; delete {run.samples} and run `srpo init` again") from None


def _training_samples(run: RunFolder) -> Iterator[tuple[int, Sample]]:
    splits = set()
    for place, sample in _samples(run):
        splits.add(sample.split)
        if sample.split == "train":
            yield place, sample
    _check_splits(run, ("train",), splits)


def _check_splits(run: RunFolder, wanted: Iterable[str], there: Collection[str]) -> None:
    for split in wanted:
        if split not in there:
            names = ", ".join(sorted(there)) or "none"
            raise DataError(f"{run.samples}: no sample of split {split}; the file has: {names}")
