"""RSBench for other evaluation engines: the samples of a run, what to ask, and results of what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.finished import of_splits
from srpo.formats import PathFormat
from srpo.judge.base import Judge
from srpo.judge.vote import vote_results
from srpo.models.base import Message
from srpo.models.chat import render_messages
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.scoring import Written, judge_answers
from srpo.systems import instruction_of, load_judge
from srpo.types import Completion, Result, Sample


@dataclass(frozen=True)
class RSBench:
    """The samples of a run, and who judges answers to them.

    `path_format` says how the answering model writes its reasoning.
    """

    run: RunFolder
    config: RunConfig
    path_format: PathFormat = "six_steps"

    @classmethod
    def open(
        cls,
        run: str | Path,
        *,
        path_format: PathFormat = "six_steps",
        instruction: str | None = None,
        judge: Mapping[str, Any] | None = None,
    ) -> RSBench:
        """The run in a folder; `instruction` and `judge` (settings as in `evaluate.judge`) replace those of the run.

        Raises DataError if there is no such run, ConfigError for a setting that cannot be.
        """
        known = get_args(PathFormat)
        if path_format not in known:
            raise ConfigError(f"path_format {path_format!r}: expected one of {', '.join(known)}")
        folder = RunFolder.open(Path(run).expanduser().absolute())
        own = [] if judge is None else [f"evaluate.judge={json.dumps(dict(judge))}", "evaluate.panel=[]"]
        own += [] if instruction is None else [f"instruction={json.dumps(instruction)}"]
        return cls(folder, load_config(folder.config, own, RunConfig), path_format)

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """The samples of the measured splits by id."""
        return {sample.id: sample for sample in of_splits(self.run, self.config.evaluate.splits)}

    @cached_property
    def judges(self) -> list[Judge]:
        """Loaded when the first answer is judged."""
        settings = self.config.scoring_judges
        return [load_judge(self.config, one, self.config.seed, labels_branches=False) for one in settings]

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        """Picture and request, followed by the instruction if there is one."""
        return render_messages(sample, self.run.path, instruction_of(self.config))

    def score(self, answers: Sequence[Completion]) -> list[Result]:
        """One result per answer: the judge's, or the vote of the panel."""
        written = [Written(row, self.samples[row.sample], self.path_format) for row in answers]
        by_judge = [judge_answers(judge, written, self.run.path).results for judge in self.judges]
        if len(by_judge) == 1:
            return by_judge[0]
        return [vote_results(rows) for rows in zip(*by_judge, strict=True)]
