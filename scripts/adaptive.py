"""What exploration budgets cost per contrast, on the embedded world: `python scripts/adaptive.py --seeds 3 4 5`.

Writes docs/measurements/adaptive.json and the table in docs/exploration.md.  A contrast counts if it is kept, that is
after repetitions are joined and at most 8 per prefix are drawn.  Intervals: bootstrap over minimal sets, 2,000 draws.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from srpo.explore import ContrastConfig, Exploration, build_contrasts, explore, outcome
from srpo.judge.base import JudgeItem
from srpo.models import load_model
from srpo.models.base import Limits
from srpo.types import Sample, Sampling, Tree, Verdict
from srpo.world import ASSETS, OracleJudge, build_samples
from srpo.world.dataset import WorldSettings

ROOT = Path(__file__).parent.parent
OUT, PAGE = ROOT / "docs" / "measurements" / "adaptive.json", ROOT / "docs" / "exploration.md"
BUDGETS = ("fixed", "one_of_each", "adaptive")
FIGURES = ("sampled", "contrasts", "covered")


class Prefilled:
    """Counts the tokens of prompts and prefixes that the language model reads, filling included."""

    def __init__(self, model: Any) -> None:
        self.tokens = 0
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: Any, args: Any, kwargs: Any) -> None:
        ids = kwargs["input_ids"]
        self.tokens += ids.numel() if ids.shape[1] > 1 else 0


def measure(samples: Sequence[Sample], folder: Path, budget: Any, seed: int, most: int) -> dict[str, Any]:
    """Figures by minimal set, each in the order of FIGURES, and seconds."""
    model: Any = load_model(f"hf:{ASSETS / 'tiny-vlm'}", limits=Limits(max_kept_tokens=65_536))
    prefilled = Prefilled(model.model)
    oracle, verdicts, trees = OracleJudge(), list[Verdict](), list[Tree]()

    def label(items: Sequence[JudgeItem]) -> list[Any]:
        found = oracle.judge(items)
        verdicts.extend(found)
        return [outcome(v, item.sample.cell) for v, item in zip(found, items, strict=True)]

    sampling = Sampling(temperature=1.0, max_new_tokens=128)
    settings = Exploration(
        budget=budget, branches_per_prefix=most, sampling=sampling, seed=seed, samples_per_batch=len(samples)
    )
    start = time.monotonic()
    explore(samples, model, folder, settings, trees.append, label=label)
    seconds = time.monotonic() - start
    by_id = {sample.id: sample for sample in samples}
    sets: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    cells: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for tree in trees:
        sample = by_id[tree.sample]
        own = [v for v in verdicts if v.subject == tree.id]
        _, yields = build_contrasts(tree, own, sample, ContrastConfig(), seed=seed)
        tokens = sum(row.tokens for row in yields)
        kept, covered = sum(row.kept for row in yields), sum(row.kept > 0 for row in yields)
        figures = np.array([tokens, kept, covered])
        sets[sample.group] += figures
        cells["hazard" if sample.cell == "hazard" else "benign"] += figures
    return {
        "sets": {name: list(map(int, row)) for name, row in sets.items()},
        "cells": {name: dict(zip(FIGURES, map(int, row), strict=True)) for name, row in cells.items()},
        "prefilled": prefilled.tokens,
        "seconds": round(seconds, 1),
    }


def saving(fixed: dict[str, Any], other: dict[str, Any], per: int) -> dict[str, float]:
    """How many times fewer sampled tokens per contrast (`per` 1) or covered prefix (2), with its interval."""
    names = sorted(fixed["sets"])
    a, b = (np.array([run["sets"][name] for name in names], dtype=float) for run in (fixed, other))
    draws = np.random.default_rng(0).integers(0, len(names), (2000, len(names)))

    def ratio(rows: Any) -> Any:
        x, y = a[rows].sum(axis=-2), b[rows].sum(axis=-2)
        return (x[..., 0] / x[..., per]) / (y[..., 0] / y[..., per])

    low, high = np.quantile(ratio(draws), [0.025, 0.975])
    return {"value": float(ratio(np.arange(len(names)))), "low": float(low), "high": float(high)}


def study(seeds: Sequence[int], size: int, most: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            world = WorldSettings(seed=seed, train=size, test_scenes=0, test_combinations=0, test_rules=0)
            samples = list(build_samples(world, Path(folder)))
            runs = {budget: measure(samples, Path(folder), budget, seed, most) for budget in BUDGETS}
        for run in runs.values():
            run["per_contrast"], run["per_prefix"] = (saving(runs["fixed"], run, per) for per in (1, 2))
        rows[str(seed)] = runs
        print(seed, {name: round(run["per_contrast"]["value"], 2) for name, run in runs.items()}, flush=True)
    return {"sets": size, "samples": 4 * size, "most": most, "seeds": rows}


def table(found: dict[str, Any]) -> str:
    """The study as a Markdown table."""
    lines = [
        "| seed | budget | sampled | prefilled | contrasts (hazard) | prefixes covered | saved per contrast "
        "| saved per covered prefix | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for seed, runs in found["seeds"].items():
        for budget, run in runs.items():
            total = {name: sum(cell[name] for cell in run["cells"].values()) for name in FIGURES}
            savings = [
                f"{m['value']:.2f} [{m['low']:.2f}, {m['high']:.2f}]" for m in (run["per_contrast"], run["per_prefix"])
            ]
            lines.append(
                f"| {seed} | {budget} | {total['sampled']:,} | {run['prefilled']:,} | {total['contrasts']} "
                f"({run['cells']['hazard']['contrasts']}) | {total['covered']} | {' | '.join(savings)} "
                f"| {run['seconds']} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4, 5])
    parser.add_argument("--sets", type=int, default=24, help="minimal sets of four samples")
    parser.add_argument("--most", type=int, default=8, help="branches per prefix at most")
    parser.add_argument("--json", type=Path, default=OUT)
    given = parser.parse_args()
    found = study(given.seeds, given.sets, given.most)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.json == OUT:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition("<!-- table -->\n")
        after = rest.partition("<!-- end -->")[2]
        PAGE.write_text(f"{before}<!-- table -->\n{table(found)}\n<!-- end -->{after}", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
