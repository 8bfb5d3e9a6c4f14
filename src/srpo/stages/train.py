"""Trees and verdicts to a trained model."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.finished import check_contrasts, contrasts_of, of_splits, trees_of
from srpo.progress import Bars, silent
from srpo.records import write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.systems import check_trainable, check_trained, instruction_of, open_rounds, start_of
from srpo.types import Contrast


def train_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Train on references and contrasts into `checkpoint/`; resumes from its last step.

    The first round starts with the base model and a later one with the model of the round before it.
    """
    check_trainable(config)
    for number in open_rounds(run, config):
        train_round(run, config, number, bars)


def train_round(run: RunFolder, config: RunConfig, number: int, bars: Bars) -> None:
    """Train on the trees of one round."""
    files = run.round(number)
    contrasts, _ = contrasts_of(run, config, number)
    if training_begun(files):
        check_contrasts(run, contrasts, number)
    else:
        write_records(files.contrasts, contrasts)
    if files.trained.exists():
        check_trained(run, number)
    else:
        _train(run, config, number, contrasts, bars)
    run.record_files(inputs=[run.samples, files.trees, files.contrasts], outputs=[files.trained])


def train_along(run: RunFolder, config: RunConfig) -> None:
    """The share of a process that is not the first: it computes, and process 0 writes all there is to write."""
    check_trainable(config)
    number = open_rounds(run, config)[-1]
    if not run.round(number).trained.exists():
        _train(run, config, number, contrasts_of(run, config, number)[0], silent)


def _train(run: RunFolder, config: RunConfig, number: int, contrasts: Sequence[Contrast], bars: Bars) -> None:
    samples = of_splits(run, ("train",))
    trees = trees_of(run, samples, number)
    with bars("load trainer", 1, 0) as advance:  # torch and transformers load only here
        from srpo.train import TreeDataset
        from srpo.training import train

        advance(1)
    dataset = TreeDataset(samples, trees, contrasts, run.path, instruction_of(config))
    train(run.round(number), config, dataset, bars, start_of(run, config, number))


def training_begun(files: StageFiles) -> bool:
    """Whether contrasts of a round were drawn and a trainer has written something."""
    return files.contrasts.exists() and any(files.checkpoint.glob("*"))
