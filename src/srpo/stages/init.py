"""The embedded world, or samples of one's own, as the samples of a run; and the items of public benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from srpo.finished import samples_of
from srpo.inputs import check_splits
from srpo.own_items import read_own_items
from srpo.own_samples import read_own_samples
from srpo.progress import Bars
from srpo.records import write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.rows import rows_if_there
from srpo.systems import instruction_of
from srpo.types import Item, Sample
from srpo.world import build_samples


def init_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Draw the embedded world, or take over the user's samples, into `samples.jsonl`; items into `items.jsonl`."""
    inputs = []
    if not run.samples.exists():
        instruction_of(config)
        samples = _samples(run, config, bars)
        check_splits((sample.split for sample in samples), config)
        write_records(run.samples, samples)
        inputs = [] if config.samples is None else [Path(config.samples)]
    elif config.samples is None and not all(
        (run.path / s.image.path).is_file() for s in samples_of(run) if s.image is not None
    ):
        _samples(run, config, bars)  # draws the same pictures again
    run.record_files(inputs=inputs, outputs=[run.samples])
    _take_items(run, config)


def _take_items(run: RunFolder, config: RunConfig) -> None:
    """Add the items of public benchmarks that are not there yet to `items.jsonl`, in one write."""
    there = list(rows_if_there(run.items, Item))
    new = [name for name in config.benchmarks if all(item.benchmark != name for item in there)]
    if new:
        write_records(run.items, [*there, *(item for name in new for item in read_own_items(name, config))])
        files = [Path(config.benchmarks[name].path).expanduser() for name in new]
        # A data set of a hub is no file here.
        run.record_files(inputs=[path for path in files if path.exists()], outputs=[run.items])


def _samples(run: RunFolder, config: RunConfig, bars: Bars) -> list[Sample]:
    if config.samples is not None:
        return read_own_samples(Path(config.samples), config)
    with bars("draw scenes", 4 * sum(config.world.sizes().values()), 0) as advance:
        return [_counted(sample, advance) for sample in build_samples(config.world, run.path)]


def _counted(sample: Sample, advance: Callable[[int], None]) -> Sample:
    advance(1)
    return sample
