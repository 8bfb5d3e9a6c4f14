"""Files that a stage has finished, read for the stages after it; an unfinished one is an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from srpo.errors import DataError
from srpo.explore import PrefixYield, build_contrasts
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.systems import SYSTEMS, TRAINED, trained_folder
from srpo.types import Completion, Contrast, Result, Sample, Tree, Verdict


def samples_of(run: RunFolder) -> list[Sample]:
    """All samples of the run.  Raises DataError that says how to mend a broken file."""
    try:
        return read_records(run.samples, Sample)
    except DataError as error:
        if not run.samples.exists():
            raise
        raise DataError(f"{error}; delete {run.samples} and build the run again") from None


def of_splits(run: RunFolder, splits: Sequence[str]) -> list[Sample]:
    """The run's samples of some splits.  Raises DataError if one of the splits has none."""
    samples = samples_of(run)
    known = {sample.split for sample in samples}
    for split in splits:
        if split not in known:
            there = ", ".join(sorted(known)) or "none"
            raise DataError(f"{run.samples}: no sample of split {split}; the file has: {there}")
    return [sample for sample in samples if sample.split in splits]


def trees_of(run: RunFolder, samples: Iterable[Sample]) -> list[Tree]:
    """The trees of all training samples.  Raises DataError if one is missing."""
    trees = read_records(run.trees, Tree)
    wanted, found = {sample.id for sample in samples}, {tree.sample for tree in trees}
    if wanted - found:
        count = f"{len(wanted & found)} of {len(wanted)} trees"
        raise DataError(f"{run.trees}: explore is not finished ({count}); run `srpo explore {run.path}` first")
    if found - wanted:
        problem = f"holds a tree of {min(found - wanted)}, which is no training sample of {run.samples}"
        raise DataError(f"{run.trees}: {problem}; delete it and run `srpo explore {run.path}` again")
    return trees


def contrasts_of(run: RunFolder, config: RunConfig) -> tuple[list[Contrast], list[list[PrefixYield]]]:
    """Contrasts of all trees under the run's judge, and the yield of each tree."""
    samples = {sample.id: sample for sample in of_splits(run, ("train",))}
    trees = trees_of(run, samples.values())
    verdicts = verdicts_of(run, trees)
    contrasts: list[Contrast] = []
    yields: list[list[PrefixYield]] = []
    for tree in trees:
        sample = samples[tree.sample]
        found, counts = build_contrasts(tree, verdicts.get(tree.id, []), sample, config.contrasts, seed=config.seed)
        contrasts += found
        yields.append(counts)
    return contrasts, yields


def verdicts_of(run: RunFolder, trees: Sequence[Tree]) -> dict[str, list[Verdict]]:
    """Verdicts by tree, of the judge that judged last.  Raises DataError if a branch has none."""
    rows = read_records(run.verdicts, Verdict)
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in rows:
        if verdict.judge == rows[-1].judge:
            verdicts.setdefault(verdict.subject, []).append(verdict)
    judged = {(verdict.subject, verdict.node) for of_tree in verdicts.values() for verdict in of_tree}
    branches = [(tree.id, node) for tree in trees for node in tree.branches]
    left = sum(branch not in judged for branch in branches)
    if left:
        count = f"{len(branches) - left} of {len(branches)} branches"
        raise DataError(f"{run.verdicts}: judge is not finished ({count}); run `srpo judge {run.path}` first")
    return verdicts


def check_contrasts(run: RunFolder, contrasts: Sequence[Contrast]) -> None:
    """Raises DataError if the contrasts of training are not those that trees and verdicts give now."""
    if read_records(run.contrasts, Contrast) != list(contrasts):
        problem = "trees or verdicts have changed since training"
        mend = f"delete it and {run.checkpoint}, then run `srpo train {run.path}` again"
        raise DataError(f"{run.contrasts}: {problem}; {mend}")


def check_responses(run: RunFolder, responses: Iterable[Completion]) -> None:
    """Raises DataError if the trained model has answered and is another one by now."""
    if any(response.system == TRAINED for response in responses) and run.input_changed(trained_folder(run)):
        problem = f"holds answers of another model than the one in {trained_folder(run)}"
        mend = f"delete it and {run.results}, then run `srpo evaluate {run.path}` again"
        raise DataError(f"{run.responses}: {problem}; {mend}")


def results_of(run: RunFolder, config: RunConfig) -> list[Result]:
    """One result per system, decoding and sample, of the judge that judged last.

    Raises DataError if one is missing.
    """
    rows = read_records(run.results, Result)
    if not rows:
        raise DataError(f"{run.results}: holds no result; run `srpo evaluate {run.path}` first")
    found = {(r.system, r.decoding, r.sample): r for r in rows if r.judge == rows[-1].judge}
    samples, decodings = of_splits(run, config.evaluate.splits), config.evaluate.decodings()
    wanted = [(system, name, sample.id) for system in SYSTEMS for name in decodings for sample in samples]
    left = sum(key not in found for key in wanted)
    if left:
        count = f"{len(wanted) - left} of {len(wanted)} results"
        raise DataError(f"{run.results}: evaluate is not finished ({count}); run `srpo evaluate {run.path}` first")
    return list(found.values())
