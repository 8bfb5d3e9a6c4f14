"""The report of two rounds: the trees of the base and of the trained model, side by side."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from run_files import RECIPES, start
from srpo.config import load_config
from srpo.progress import silent
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import plan, run_stage
from srpo.types import Contrast, Sample, Tree

SETTINGS = (
    *("rounds=2", "world.train=2", "world.test_scenes=1", "world.test_combinations=0", "world.test_rules=0"),
    *("explore.prefixes=[3]", "explore.branches_per_prefix=6", "train.max_steps=8", "train.learning_rate=1e-3"),
    *("evaluate.splits=[test_scenes]", "evaluate.sampled=false", "evaluate.max_new_tokens=96", "report.trees=2"),
)


def test_the_page_has_the_trees_of_both_rounds(tmp_path: Path) -> None:
    config = load_config(RECIPES / "demo.yaml", SETTINGS, RunConfig)
    run = start(tmp_path / "two", config)
    for name in plan(config):
        run_stage(run, config, name, silent)
    page = run.report_html.read_text(encoding="utf-8")
    drawn = re.findall(r"<h3>([^<]+) <span class=\"note\">(\d+) contrasts kept", page)
    first, last = (kept_by_sample(run, number) for number in (1, 2))
    cells = {sample.id: sample.cell for sample in read_records(run.samples, Sample)}
    gave = [name for name, number in first.items() if number]
    of_hazard = [next(name for name in gave if (cells[name] == "hazard") is wanted) for wanted in (True, False)]
    expected = [(words, str(of[name])) for name in of_hazard for words, of in (("Before", first), ("After", last))]
    assert [(title.split()[0], number) for title, number in drawn] == expected
    assert [first[name] for name in of_hazard] != [last[name] for name in of_hazard]  # else they could be swapped


def kept_by_sample(run: RunFolder, number: int) -> dict[str, int]:
    """How many contrasts a round kept of each sample, in the order of the trees."""
    files = run.round(number)
    kept = Counter(contrast.tree for contrast in read_records(files.contrasts, Contrast))
    return {tree.sample: kept[tree.id] for tree in read_records(files.trees, Tree)}
