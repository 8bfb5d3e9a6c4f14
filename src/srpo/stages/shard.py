"""One of several shares of the samples, and where it puts its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from srpo.errors import ConfigError
from srpo.records import seed_of
from srpo.stage_files import StageFiles


@dataclass(frozen=True)
class Shard:
    """One of `count` shares of the samples; `index` counts from 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ConfigError(f"shard {self}: expected a number from 1 to the number of shards, such as 3/16")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.index}-of-{self.count}"

    def holds(self, sample: str) -> bool:
        """Whether a sample, named by its id, falls to this shard."""
        return seed_of("shard", sample) % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """`3/16` is the third of 16.  Raises ConfigError for anything else."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None:
        raise ConfigError(f"shard {text!r}: expected INDEX/COUNT such as 3/16; the first is 1/16, the last 16/16")
    return Shard(int(found[1]), int(found[2]))


def files_of(whole: StageFiles, stage: str, shard: Shard | None) -> StageFiles:
    """Where a stage writes: to the files of the whole, or to those of a shard beside them."""
    return whole if shard is None else StageFiles(whole.shards / stage / shard.name)


def is_held(shard: Shard | None, sample: str) -> bool:
    """Whether a sample is to be done; all are, without shards."""
    return shard is None or shard.holds(sample)
