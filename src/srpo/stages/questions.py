"""What every system is asked in an evaluation: samples, changed samples, and items of public benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from srpo.benchmarks.base import render_item
from srpo.errors import ConfigError, DataError
from srpo.finished import answer_id, of_splits, training_samples
from srpo.models.base import Message, Request
from srpo.models.chat import render_messages
from srpo.pictures import any_picture
from srpo.probes import PATH_PROBES, PICTURE_PROBES, probe_messages
from srpo.records import seed_of
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.stages.rows import rows_if_there
from srpo.stages.shard import Shard, files_of, is_held
from srpo.systems import instruction_of
from srpo.types import CELLS, Cell, Item, Probe, Sample, Sampling


class Question(NamedTuple):
    """One answer that a system owes; `subject` is the id of a sample or of an item."""

    subject: str
    decoding: str
    repeat: int = 0
    probe: Probe | None = None

    def answer_id(self, system: str) -> str:
        """Id of a system's answer."""
        return answer_id(system, self.subject, self.decoding, self.repeat, self.probe)


@dataclass(frozen=True)
class Evaluation:
    """What one process answers and scores, and where its rows go."""

    run: RunFolder
    config: RunConfig
    out: StageFiles
    shard: Shard | None

    @classmethod
    def of(cls, run: RunFolder, config: RunConfig, shard: Shard | None) -> Evaluation:
        return cls(run, config, files_of(run, "evaluate", shard), shard)

    @cached_property
    def all_samples(self) -> Mapping[str, Sample]:
        """Samples of the measured splits, those of other shards included."""
        splits = self.config.evaluate.splits
        return {sample.id: sample for sample in of_splits(self.run, splits)} if splits else {}

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """The samples of this process."""
        return {name: sample for name, sample in self.all_samples.items() if is_held(self.shard, name)}

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """The items of public benchmarks of this process."""
        wanted = self.config.benchmarks
        rows = (item for item in rows_if_there(self.run.items, Item) if item.benchmark in wanted)
        return {item.id: item for item in rows if is_held(self.shard, item.id)}

    @property
    def has_pictures(self) -> bool:
        """Whether anything that is asked holds a picture; some benchmarks are text alone."""
        return any_picture(self.samples.values()) or any(item.images for item in self.items.values())

    def questions(self, probes: Sequence[Probe] | None = None) -> Iterator[Question]:
        """All questions that do not hang on an answer: the same for every system, and always in the same order.

        `probes` are those of the settings if not given.
        """
        settings = self.config.evaluate
        headline = next(iter(settings.decodings()))
        for decoding, repeat in settings.draws():
            yield from (Question(subject, decoding, repeat) for subject in (*self.samples, *self.items))
        for probe in settings.probes if probes is None else probes:
            if probe in PICTURE_PROBES and not any_picture(self.all_samples.values()):
                problem = "changes pictures, and no sample that is measured has one"
                raise ConfigError(f"evaluate.probes {probe}: {problem}; leave it out")
            if probe not in PATH_PROBES:
                yield from (Question(subject, headline, probe=probe) for subject in self.samples)

    def request(self, system: str, question: Question) -> Request | None:
        """The request of a question, none if the sample cannot be changed so.  All systems draw with the same seed."""
        messages = self._messages(system, question)
        seed = (self.config.seed, question.subject, *([question.repeat] if question.repeat else []))
        if messages is None:
            return None
        name, sampling = question.answer_id(system), self.sampling(question.decoding)
        return Request(id=name, messages=messages, sampling=sampling, seed=seed_of("evaluate", *seed))

    def sampling(self, decoding: str) -> Sampling:
        return self.config.evaluate.decodings()[decoding]

    def _messages(self, system: str, question: Question) -> tuple[Message, ...] | None:
        if question.subject in self.items:
            return render_item(self.items[question.subject])
        own = self._own_messages(question, instruction_of(self.config, system))
        return None if own is None else (*self._shots(system, question.subject), *own)

    def _own_messages(self, question: Question, instruction: str | None) -> tuple[Message, ...] | None:
        sample = self.samples[question.subject]
        if question.probe is None:
            return render_messages(sample, self.run.path, instruction)
        return probe_messages(
            question.probe,
            sample,
            tuple(self.all_samples.values()),
            self.run.path,
            instruction=instruction,
            seed=self.config.seed,
            pictures=self.run.probes,
        )

    def _shots(self, system: str, subject: str) -> tuple[Message, ...]:
        """Examples for a system that is shown some, drawn anew for every sample: all cells alike often."""
        number = self.config.systems[system].shots if system in self.config.systems else 0
        if not number:
            return ()
        rng = random.Random(seed_of("shots", self.config.seed, subject))
        drawn = [rng.choice(self._training[CELLS[index % len(CELLS)]]) for index in range(number)]
        rng.shuffle(drawn)
        instruction = instruction_of(self.config, system)
        turns = ((render_messages(s, self.run.path, instruction), s.reference.text) for s in drawn)
        return tuple(m for asked, text in turns for m in (*asked, Message(role="assistant", text=text)))

    @cached_property
    def _training(self) -> Mapping[Cell, Sequence[Sample]]:
        found: dict[Cell, list[Sample]] = {cell: [] for cell in CELLS}
        for sample in training_samples(self.run):
            found[sample.cell].append(sample)
        lacking = [cell for cell, samples in found.items() if not samples]
        if lacking:
            raise DataError(f"{self.run.samples}: no training sample of cell {lacking[0]} to show; set shots to 0")
        return found
