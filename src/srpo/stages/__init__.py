"""The stages of a run, and the only place where the packages meet.

Every stage reads finished files of the run folder and appends its own, item by item, so that it can be killed
at any moment and started again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srpo.errors import DataError
from srpo.progress import Bars
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder
from srpo.stages.evaluate import evaluate_stage
from srpo.stages.explore import explore_stage
from srpo.stages.init import init_stage
from srpo.stages.judge import judge_stage
from srpo.stages.train import train_stage
from srpo.stages.watch import watched
from srpo.types import Report


def report_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Write `report.json` and `report.html` from the finished files."""
    from srpo.reporting import write_report

    write_report(run, config, bars)


STAGES: Final[dict[str, Callable[[RunFolder, RunConfig, Bars], None]]] = {
    "init": init_stage,
    "explore": explore_stage,
    "judge": judge_stage,
    "train": train_stage,
    "evaluate": evaluate_stage,
    "report": report_stage,
}
"""The stages by name, in their order."""


def plan(config: RunConfig) -> list[str]:
    """Names of the stages of a whole run in their order; every round of training explores, judges and trains."""
    training = ("explore", "judge", "train") * config.rounds if TRAINED in config.evaluate.systems else ()
    return ["init", *training, "evaluate", "report"]


def run_stage(run: RunFolder, config: RunConfig, name: str, bars: Bars) -> None:
    """Run one stage, for every round that can begin, and add its wall-clock time to the manifest.

    Raises DataError when the disk refuses; what a stage has finished before an error is kept.
    """
    with watched(run, name):
        STAGES[name](run, config, bars)


def read_report(run: RunFolder) -> Report:
    """The finished report.  Raises DataError if it is not there or broken."""
    try:
        return Report.model_validate_json(run.report_json.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{run.report_json}: no report yet; run `srpo report {run.path}`") from None
    except ValueError as error:
        raise DataError(f"{run.report_json}: not a report of this version ({error}); run `srpo report` again") from None
