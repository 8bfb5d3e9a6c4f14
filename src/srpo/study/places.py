"""Where a study keeps its work: bases, shared branches, and runs that are under way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srpo.records import content_id
from srpo.run_config import EMBEDDED, RunConfig
from srpo.study.settings import EMBEDDED_BASE
from srpo.study.tasks import Task

MAIN: Final = "full"
"""The study whose files and marks have no name in them; all others carry theirs."""

_FIRST: Final = (("domain", "requests"), ("context", "picture"))
"""Settings of the world that all studies had before there was a choice; names of folders leave them out."""


def named(stem: str, study: str, between: str = "-") -> str:
    """What belongs to a study, by the study's name: `study-text` for `text`, `study` for the main one."""
    return stem if study == MAIN else f"{stem}{between}{study}"


@dataclass(frozen=True)
class Places:
    """Names of the folders of a study under way; they can be deleted when all is done."""

    path: Path

    def base(self, name: str) -> Path:
        """Model folder of a base that is made for the study."""
        return self.path / "bases" / name

    def model(self, base: str) -> str:
        """What the settings of a run call a base."""
        return EMBEDDED if base == EMBEDDED_BASE else f"hf:{self.base(base)}"

    def has_base(self, name: str) -> bool:
        """Whether a base is there; its card is written last."""
        return name == EMBEDDED_BASE or (self.base(name) / "README.md").exists()

    def trees(self, config: RunConfig) -> Path:
        """Run folder with samples, branches and verdicts, for all runs that need the same."""
        key = config.model_dump(mode="json", include={"seed", "model", "world", "explore"})
        key["world"] = {name: value for name, value in key["world"].items() if (name, value) not in _FIRST}
        return self.path / "trees" / f"seed{config.seed}-{content_id(key)[:8]}"

    def has_trees(self, config: RunConfig) -> bool:
        """Whether they are finished."""
        return self.mark(self.trees(config)).exists()

    def mark(self, trees: Path) -> Path:
        """File beside a folder of branches that says that they are finished."""
        return trees.with_name(f"{trees.name}.done")

    def run(self, task: Task) -> Path:
        """Folder of a run until its figures are written."""
        return self.path / "runs" / task.id
