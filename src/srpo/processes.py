"""The place of this process among those that train one model together, as launchers write it into the environment."""

from __future__ import annotations

import os

from srpo.errors import ConfigError


def rank() -> int:
    """Number of this process, from 0; only process 0 writes files and shows progress."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes, 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def shared_update(batch: int, accumulation: int, processes: int) -> tuple[int, int]:
    """Trees per micro-batch and micro-batches per update of each process, so that an update keeps its trees.

    A micro-batch never grows, so what fits into the memory of one device still does.  Raises ConfigError if the trees
    of an update (`batch * accumulation`) cannot be dealt out evenly.
    """
    trees = batch * accumulation
    if trees % processes:
        raise ConfigError(
            f"an update has {trees} trees (train.per_device_train_batch_size * train.gradient_accumulation_steps), "
            f"which {processes} processes cannot share evenly; start as many as divide it"
        )
    share = trees // processes
    own = next(size for size in range(min(batch, share), 0, -1) if share % size == 0)
    return own, share // own
