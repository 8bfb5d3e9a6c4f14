"""Trees and verdicts to a trained model."""

from __future__ import annotations

from srpo.finished import check_contrasts, contrasts_of, of_splits, trees_of
from srpo.progress import Bars
from srpo.records import write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.systems import base_path, check_trainable, check_trained, instruction_of, trained_folder


def train_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Train from the base model on references and contrasts into `checkpoint/`; resumes from its last step."""
    check_trainable(config)
    contrasts, _ = contrasts_of(run, config)
    if training_begun(run):
        check_contrasts(run, contrasts)
    else:
        write_records(run.contrasts, contrasts)
    if trained_folder(run).exists():
        check_trained(run)
    else:
        samples = of_splits(run, ("train",))
        trees = trees_of(run, samples)
        with bars("load trainer", 1, 0) as advance:  # torch and transformers load only here
            from srpo.train import TreeDataset
            from srpo.training import train

            advance(1)
        dataset = TreeDataset(samples, trees, contrasts, run.path, instruction_of(config))
        train(run, config, dataset, bars, base_path(config))
    run.record_files(inputs=[run.samples, run.trees, run.contrasts], outputs=[trained_folder(run)])


def training_begun(run: RunFolder) -> bool:
    """Whether contrasts were drawn and a trainer has written something."""
    return run.contrasts.exists() and any(run.checkpoint.glob("*"))
