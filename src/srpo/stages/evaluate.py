"""Held-out samples and public benchmarks to answers and scores."""

from __future__ import annotations

from srpo.errors import DataError
from srpo.finished import check_responses
from srpo.progress import Bars
from srpo.records import repair, write_text
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder, digest
from srpo.stage_files import StageFiles
from srpo.stages.answers import answer_plain
from srpo.stages.edits import answer_edited
from srpo.stages.questions import Evaluation
from srpo.stages.rows import rows_if_there
from srpo.stages.scores import label_items, score_samples
from srpo.stages.shard import Shard
from srpo.systems import check_trained
from srpo.types import Completion

_MODEL = "model.sha256"
"""In a shard's folder: hash of the trained model that answered."""


def evaluate_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Let every system answer the held-out samples and the public benchmarks, and score the answers."""
    evaluate_samples(run, config, None, bars)
    outputs = [run.responses, *(path for path in (run.results, run.labels) if path.exists())]
    run.record_files(inputs=[run.samples], outputs=outputs)


def evaluate_samples(run: RunFolder, config: RunConfig, shard: Shard | None, bars: Bars) -> None:
    """Answer and score what is not there yet.

    Failures of an earlier start that may pass are asked for again, and replaced where they stand.  Probes that edit a
    system's own path need the scores of its plain answers to the whole minimal set, so shards leave them to the run.
    """
    task = Evaluation.of(run, config, shard)
    if run.responses.exists() and run.input_changed(run.samples):
        mend = f"take the edit back, or delete {run.responses} and {run.results} and evaluate again"
        raise DataError(f"{run.samples}: is not the file that was answered; {mend}")
    for path in (task.out.responses, task.out.results, task.out.labels):
        repair(path)
    if TRAINED in config.evaluate.systems:
        _check_trained(task)
    for system in config.evaluate.systems:
        answer_plain(task, system, bars)
    _score(task, bars)
    if shard is None and answer_edited(task, bars):
        _score(task, bars)


def check_model(shard: StageFiles, model: str) -> None:
    """Raises DataError if a shard has answers of another trained model than the one with this hash."""
    file = shard.path / _MODEL
    if file.exists() and file.read_text() != model:
        mend = f"delete {shard.path} and run this shard again"
        raise DataError(f"{file}: the shard answered with another trained model than there is now; {mend}")


def _check_trained(task: Evaluation) -> None:
    run = task.run
    trained = check_trained(run, task.config.rounds)
    check_responses(run, task.config, rows_if_there(run.responses, Completion))
    if task.shard is None:
        run.record_files(inputs=[trained])
    else:
        check_model(task.out, model := digest(trained))
        write_text(task.out.path / _MODEL, model)


def _score(task: Evaluation, bars: Bars) -> None:
    """Results and labels of every judge; which of them count is recorded when all are there."""
    config = task.config
    names = [score_samples(task, settings, bars) for settings in config.scoring_judges] if task.samples else []
    labels = []
    for benchmark in config.benchmarks:
        for settings in config.judges_of(benchmark) or (None,):
            labels += label_items(task, benchmark, settings, bars)
    RunFolder(task.out.path).record_judges(names, labels)
