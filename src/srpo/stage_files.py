"""Names of the files that stages leave, wherever their folder is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StageFiles:
    """Files that stages leave in a folder: of a run, of a later round of it, or of a shard."""

    path: Path

    @property
    def trees(self) -> Path:
        return self.path / "trees.jsonl"

    @property
    def verdicts(self) -> Path:
        return self.path / "verdicts.jsonl"

    @property
    def contrasts(self) -> Path:
        return self.path / "contrasts.jsonl"

    @property
    def checkpoint(self) -> Path:
        """Folder of the trained weights."""
        return self.path / "checkpoint"

    @property
    def trained(self) -> Path:
        """Where the finished model lies: a model folder, or an adapter."""
        return self.checkpoint / "final"

    @property
    def responses(self) -> Path:
        return self.path / "responses.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.jsonl"

    @property
    def labels(self) -> Path:
        """Labels of answers to items of public benchmarks."""
        return self.path / "labels.jsonl"

    @property
    def shards(self) -> Path:
        """Folder of what shards have made, until it is merged."""
        return self.path / "shards"
