"""Measure every check of `srpo build` against the truth of the embedded world; write figures and tables.

Usage: python scripts/ssui_world.py DIR [--sets 300] [--write]

DIR is a folder of `srpo world dataset`, made if need be (a quarter of an hour or more).  With `--write` the figures go
to `docs/measurements/ssui-world.json` and the tables into `docs/ssui_world.md` and, if it has room for them,
`docs/ssui.md`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from srpo.progress import console_bars
from srpo.records import iterate_records, write_text
from srpo.simulate.checks import ChecksReport, render_checks
from srpo.simulate.dataset import WorldDataset, make_dataset
from srpo.simulate.reviewers import SimulatedReviewers
from srpo.types import Source, Usage

DOCS: Final = Path(__file__).parents[1] / "docs"
FIGURES: Final = DOCS / "measurements" / "ssui-world.json"
PAGES: Final = (DOCS / "ssui_world.md", DOCS / "ssui.md")
BEGIN, END = "<!-- checks -->", "<!-- /checks -->"


def main() -> None:
    """Make or read the dataset, print the tables, and write them where they belong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    plan = WorldDataset(given.folder, given.sets, 0.1, 0.1, 0.0, given.seed, given.pictures)
    report = make_dataset(plan, SimulatedReviewers(seed=given.seed), console_bars(Console()), print)
    print(render_checks(report))
    if given.write:
        figures = figures_of(plan, report)
        write_text(FIGURES, json.dumps(figures, indent=1) + "\n")
        write_pages(figures, report)


def figures_of(plan: WorldDataset, report: ChecksReport) -> dict[str, Any]:
    """The report with what it was measured on."""
    rates = {"agent_errors": plan.agent_errors, "judge_errors": plan.judge_errors, "failures": plan.failures}
    calls = sum(row.calls for row in iterate_records(plan.build / "usage.jsonl", Usage))
    pictures = sum(1 for _ in iterate_records(plan.build / "sources.jsonl", Source))
    published = json.loads((plan.published / "publication.json").read_text(encoding="utf-8"))["sets"]
    counted = {"seed": plan.seed, "pictures": pictures, "calls": calls, "published_sets": published}
    return {**rates, **counted, "report": report.model_dump(mode="json")}


def write_pages(figures: dict[str, Any], report: ChecksReport) -> None:
    """Put the tables between the markers of every page that has them."""
    head = (
        f"{figures['pictures']} pictures, {figures['calls']:,} calls, errors of {figures['agent_errors']:.0%} (agent) "
        f"and {figures['judge_errors']:.0%} (each judge), seed {figures['seed']}; {figures['published_sets']} minimal "
        "sets published.  Intervals: Wilson, 95 %."
    )
    for page in PAGES:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if begin and end:
            write_text(page, f"{before}{BEGIN}\n{head}\n\n{render_checks(report)}{END}{after}")


if __name__ == "__main__":
    main()
