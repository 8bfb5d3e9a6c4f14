"""What a run has to teach: a request with its picture, if it has one, and texts to compare, to imitate or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from srpo.errors import DataError
from srpo.finished import contrasts_of, of_splits
from srpo.models.chat import render_messages
from srpo.records import iterate_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.systems import instruction_of
from srpo.types import Contrast, Sample, Tree

Kind = Literal["preference", "sft", "reward"]
"""Pairs of texts from the contrasts, reference paths to imitate, or requests alone for a trainer with a reward."""


@dataclass(frozen=True)
class Example:
    """One row before it has a format.

    - `prompt`: the text of the user's turn, instruction included; `picture`: absolute path, none without one;
    - `chosen`, `rejected`: whole assistant turns, for a contrast prefix and branch in one text;
    - `prefix`: number of reference steps that both share.
    """

    sample: Sample
    prompt: str
    picture: Path | None
    chosen: str | None = None
    rejected: str | None = None
    prefix: int | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that a row holds."""
        return tuple(text for text in (self.prompt, self.chosen, self.rejected) if text is not None)


def examples_of(run: RunFolder, config: RunConfig, kind: Kind) -> Iterator[Example]:
    """The examples of the run's training samples, one by one, in the order of its files.

    Contrasts are those of `contrasts.jsonl`, or those that training would draw if it has not run yet.
    Raises DataError if the stages before are not finished or a picture is not there.
    """
    requests = {sample.id: _request(run, config, sample) for sample in of_splits(run, ("train",))}
    if kind == "preference":
        yield from _pairs(run, config, requests)
        return
    for example in requests.values():
        yield replace(example, chosen=example.sample.reference.text) if kind == "sft" else example


def _request(run: RunFolder, config: RunConfig, sample: Sample) -> Example:
    (message,) = render_messages(sample, run.path, instruction_of(config))
    picture = next(iter(message.images), None)
    if picture is None:
        return Example(sample=sample, prompt=message.text, picture=None)
    if not picture.is_file():
        mend = f"put it back, or run `srpo init {run.path}` if the run has drawn it"
        raise DataError(f"{picture}: no such picture, which sample {sample.id} needs; {mend}")
    return Example(sample=sample, prompt=message.text, picture=picture.resolve())


def _pairs(run: RunFolder, config: RunConfig, requests: dict[str, Example]) -> Iterator[Example]:
    """Pairs of all rounds that have trees."""
    for number in range(1, config.rounds + 1):
        if number == 1 or run.round(number).trees.exists():
            yield from _pairs_of_round(run, config, requests, number)


def _pairs_of_round(run: RunFolder, config: RunConfig, requests: dict[str, Example], number: int) -> Iterator[Example]:
    """Texts are made tree by tree: all pairs of a run together are many times as long as its trees."""
    files = run.round(number)
    of_tree: defaultdict[str, list[Contrast]] = defaultdict(list)
    for contrast in _contrasts(run, config, number):
        of_tree[contrast.tree].append(contrast)
    for tree in iterate_records(files.trees, Tree):
        for contrast in of_tree.pop(tree.id, ()):
            if not {contrast.chosen, contrast.rejected} <= set(tree.branches):
                raise _stray(run, files, f"a branch of tree {tree.id}")
            chosen, rejected = tree.walk(contrast.chosen), tree.walk(contrast.rejected)
            yield replace(requests[tree.sample], chosen=chosen, rejected=rejected, prefix=contrast.prefix)
    if of_tree:
        raise _stray(run, files, f"tree {min(of_tree)}")


def _stray(run: RunFolder, files: StageFiles, what: str) -> DataError:
    mend = f"delete it and run `srpo train {run.path}` again"
    return DataError(f"{files.contrasts}: names {what}, which {files.trees} does not have; {mend}")


def _contrasts(run: RunFolder, config: RunConfig, number: int) -> Iterable[Contrast]:
    files = run.round(number)
    if files.contrasts.exists():
        return iterate_records(files.contrasts, Contrast)
    return contrasts_of(run, config, number)[0]
