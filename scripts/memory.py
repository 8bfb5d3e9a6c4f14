"""Peak memory of exploring and judging, by the number of samples.

    python scripts/memory.py                    1,000 / 10,000 / 100,000 samples into docs/measurements/memory.json
    python scripts/memory.py 5000               one number, as one line of JSON

Every number runs in a process of its own, since a process never forgets its peak.  The model is scripted and the judge
is the oracle, so that what is measured is the stages themselves: rows read, filtered, made and written.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Process
from pathlib import Path

from srpo.config import load_config
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.progress import silent
from srpo.records import iterate_records, write_records
from srpo.run_config import RunConfig, recipe_path
from srpo.runs import RunFolder
from srpo.stages.explore import explore_round
from srpo.stages.judge import judge_round
from srpo.types import Sample
from srpo.world import build_samples

SIZES = (1_000, 10_000, 100_000)
OUT = Path(__file__).parent.parent / "docs" / "measurements" / "memory.json"
SETTINGS = ("world={train: 1, test_scenes: 1}", "explore.branches_per_prefix=2", "explore.prefixes=[0, 3]")


def measure(samples: int, folder: Path) -> dict[str, float]:
    """Mebibytes that the process has had at most, before and after each stage, and the seconds of the stages."""
    config = load_config(recipe_path(None), SETTINGS, RunConfig)
    run = RunFolder.create(folder)
    run.save_config(config)
    # Drawing takes memory of its own, which would hide what the stages take.
    drawing = Process(target=draw, args=(run, config, samples))
    drawing.start()
    drawing.join()
    first = next(iterate_records(run.samples, Sample))
    figures: dict[str, float] = {"samples": samples, "start_mib": peak_mib()}
    model = ScriptedModel(lambda request: continuation(first, request))
    for name, stage in {
        "explore": lambda: explore_round(run, config, 1, None, silent, model),
        "judge": lambda: judge_round(run, config, 1, None, silent),
    }.items():
        start = time.monotonic()
        stage()
        figures |= {f"{name}_mib": peak_mib(), f"{name}_seconds": round(time.monotonic() - start, 1)}
    assert sum(1 for _ in run.verdicts.open()) == 4 * samples
    return figures | {"rows_mib": round(sum(f.stat().st_size for f in (run.trees, run.verdicts)) / 2**20, 1)}


def draw(run: RunFolder, config: RunConfig, samples: int) -> None:
    """Write the same training sample under many ids."""
    write_records(run.samples, copies(next(iter(build_samples(config.world, run.path))), samples))


def copies(sample: Sample, count: int) -> Iterator[Sample]:
    """The same training sample under other ids."""
    return (sample.model_copy(update={"id": f"{number:016x}", "split": "train"}) for number in range(count))


def continuation(sample: Sample, request: Request) -> str:
    """The rest of the reference path."""
    return "".join(step.text for step in sample.reference.steps[len(request.prefix) :])


def peak_mib() -> float:
    """Peak resident memory of this process."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def in_a_process(samples: int) -> dict[str, float]:
    """`measure` in a fresh process."""
    done = subprocess.run([sys.executable, __file__, str(samples)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """One number on the command line, or all sizes into the file."""
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(int(sys.argv[1]), Path(folder))))
        return
    rows = []
    for size in SIZES:
        rows.append(in_a_process(size))
        print(rows[-1])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.system(), "branches_per_sample": 4}
    OUT.write_text(json.dumps({**machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
