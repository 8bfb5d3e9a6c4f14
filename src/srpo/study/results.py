"""Figures of finished runs: one small JSON file each, and one with the items that they all answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from srpo.errors import DataError
from srpo.records import content_id, write_text
from srpo.study.outcomes import Sets
from srpo.study.settings import Purpose, StudySettings, merge
from srpo.study.tasks import Task
from srpo.types import Record


class Cost(Record):
    """What a run took."""

    updates: int = 0
    sampled_tokens: int = Field(default=0, description="drawn to learn from")
    trained_tokens: int = Field(default=0, description="through the model with gradients, repetitions included")
    explore_seconds: float = Field(default=0.0, description="of the shared branches that it uses")
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    prompt_tokens: float = Field(default=0.0, description="of a request, on average")


class Finished(Record):
    """A finished run."""

    task: Task
    cost: Cost
    settings: str = Field(description="digest of the settings that it was made with")
    items: str = Field(description="digest of the items")
    sets: dict[str, Sets] = Field(description="decoding -> outcomes")
    edits: dict[str, Sets] = Field(
        default_factory=dict, description="edit of the reasoning -> what greedy replies did after it, a letter per set"
    )
    notes: dict[str, float] = Field(default_factory=dict, description="of the training: first and last figures")


class Items(Record):
    """The minimal sets of every split, in the order of the outcomes."""

    groups: dict[str, tuple[str, ...]]
    rules: dict[str, tuple[str, ...]] = Field(description="of the same sets")

    @property
    def digest(self) -> str:
        """Equal digests, same items."""
        return content_id(self.model_dump(mode="json"))


@dataclass(frozen=True)
class Results:
    """The folder of a study's figures."""

    path: Path
    settings: StudySettings

    def file(self, task: Task) -> Path:
        """Where the figures of a run are, or will be."""
        return self.path / f"{task.id}.json"

    def has(self, task: Task) -> bool:
        """Whether a run is finished."""
        return self.file(task).exists()

    def write(self, finished: Finished, items: Items) -> None:
        """Keep a run.  Raises DataError if the folder holds runs on other items."""
        purpose = finished.task.purpose
        file = self._items_file(purpose)
        if file.exists() and self.items(purpose).digest != items.digest:
            raise DataError(f"{file}: the runs there answered other items; give another folder of results")
        self._check_first_split(purpose, items)
        if not file.exists():
            write_text(file, items.model_dump_json(indent=1) + "\n")
        write_text(self.file(finished.task), finished.model_dump_json(indent=1) + "\n")

    def _check_first_split(self, purpose: Purpose, items: Items) -> None:
        """Ablations are compared with the tests set by set, by their places in the first split."""
        other: Purpose = "test" if purpose == "ablation" else "ablation"
        first, file = self.settings.splits[0], self._items_file(other)
        if purpose != "sweep" and file.exists() and self.items(other).groups[first] != items.groups[first]:
            raise DataError(f"{file}: has other sets of {first} than {purpose} runs; give another folder of results")

    def read(self, task: Task) -> Finished | None:
        """A finished run, none if it is not there.  Raises DataError if the file is broken."""
        if not self.has(task):
            return None
        file = self.file(task)
        try:
            found = Finished.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{file}: not the figures of a run ({reason}); delete it and run it again") from None
        if found.settings != settings_of(self.settings, task):
            raise DataError(f"{file}: was made with other settings of the study; delete it and run it again")
        if found.items != self.items(task.purpose).digest:
            raise DataError(f"{file}: answered other items than items-{task.purpose}.json says; delete it")
        return found

    def items(self, purpose: Purpose) -> Items:
        """The items that runs of a purpose answered.  Raises DataError if none is finished yet."""
        file = self._items_file(purpose)
        try:
            return Items.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{file}: cannot be read ({error}); run the study first") from None

    def branches(self, base: str, seed: int, drawn: str = "") -> Path:
        """Where the counts of shared branches are, or will be; `drawn` names a way of drawing them."""
        return self.path / f"branches-{drawn and drawn + '-'}{base}-seed{seed}.json"

    def _items_file(self, purpose: Purpose) -> Path:
        return self.path / f"items-{purpose}.json"


def settings_of(study: StudySettings, task: Task) -> str:
    """Digest of all settings that a run hangs on; labels and other methods do not count."""
    method = study.method(task.method, task.ablation, task.variant)
    own = {
        "base": study.bases[task.base],
        "run": merge(study.run, method.run),
        # A setting that is added later, with its default, leaves the figures as they are.
        "method": method.model_dump(mode="json", exclude={"label", "run", "samples", "rate_of"}, exclude_defaults=True),
        "splits": list(study.splits_of(task.purpose)),
    }
    return content_id(own)
