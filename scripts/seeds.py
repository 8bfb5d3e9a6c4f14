"""Run the demo with several seeds and write docs/seeds.md: every seed is reported, none is picked.

Usage: python scripts/seeds.py [SEED ...]      (default 0 1 2; runs that exist are taken as they are)
"""

import subprocess
import sys
from pathlib import Path

from srpo.report.table import markdown_table
from srpo.runs import RunFolder
from srpo.stages import read_report
from srpo.types import Comparison, Metric, Report

ROOT = Path(__file__).parent.parent
KEYS = ("safe", "effective_benign", "safe_and_effective", "joint4", "path_safe", "path_effective", "over_refusal")


def main(seeds: list[int]) -> None:
    reports = {seed: run(seed) for seed in seeds}
    parts = [HEAD.format(seeds=" ".join(map(str, seeds)))]
    for title, decoding in (("Greedy decoding", "greedy"), ("Sampled at temperature 1", "sampled")):
        parts.append(f"## {title}\n\n{overview(reports, decoding)}\n")
    for split in sorted(next(iter(reports.values())).splits):
        parts.append(f"## Greedy, split `{split}`\n\n{split_table(reports, split)}\n")
    for seed, report in reports.items():
        parts.append(f"## Seed {seed}: the whole table\n\n{markdown_table(report)}\n")
    out = ROOT / "docs" / "seeds.md"
    out.write_text("\n".join(parts), encoding="utf-8")
    print(out)


def run(seed: int) -> Report:
    folder = ROOT / "runs" / f"seed-{seed}"
    command = [sys.executable, "-m", "srpo", "demo", "--resume", "--out", str(folder)]
    subprocess.run([*command, f"seed={seed}", f"world.seed={seed}"], check=True)
    return read_report(RunFolder.open(folder))


def overview(reports: dict[int, Report], decoding: str) -> str:
    lines = ["| metric | seed | before | after | paired difference | p | n |", "|---|---|---|---|---|---|---|"]
    for key in KEYS:
        for seed, report in reports.items():
            systems = report.systems if decoding == "greedy" else report.sampled
            before, after = systems["base"][key], systems["srpo"][key]
            paired = next(c for c in report.comparisons if c.metric == key and c.decoding == decoding)
            cells = [f"`{key}`", str(seed), interval(before), interval(after), difference(paired)]
            lines.append(f"| {' | '.join(cells)} | {p_value(paired)} | {after.n} |")
    return "\n".join(lines)


def split_table(reports: dict[int, Report], split: str) -> str:
    lines = ["| metric | seed | before | after | n |", "|---|---|---|---|---|"]
    for key in ("safe", "effective_benign", "joint4"):
        for seed, report in reports.items():
            before, after = report.splits[split]["base"][key], report.splits[split]["srpo"][key]
            lines.append(f"| `{key}` | {seed} | {interval(before)} | {interval(after)} | {after.n} |")
    return "\n".join(lines)


def interval(metric: Metric) -> str:
    if metric.value is None:
        return f"not scored ({metric.unscored})"
    bounds = "" if metric.low is None or metric.high is None else f" [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"
    return f"{100 * metric.value:.1f}{bounds}"


def difference(paired: Comparison) -> str:
    if paired.difference is None:
        return "not compared"
    bounds = (
        "" if paired.low is None or paired.high is None else f" [{100 * paired.low:+.1f}, {100 * paired.high:+.1f}]"
    )
    return f"{100 * paired.difference:+.1f}{bounds}"


def p_value(paired: Comparison) -> str:
    if paired.p_value is None:
        return "-"
    return "< 0.0001" if paired.p_value < 0.0001 else f"{paired.p_value:.4f}"


HEAD = """# Three seeds of the demo

Written by `python scripts/seeds.py {seeds}`; nothing here is typed by hand.  A seed changes the drawn scenes
(`world.seed`), the sampled branches, the order of training and the sampled answers (`seed`); the base model is the
shipped one.  Percent with 95 % intervals; what could not be judged is not in n.  Seeds were fixed beforehand and all
are shown.  How the settings were chosen, and what was seen before, stands in `docs/design/demo_settings.md`.
"""


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [0, 1, 2])
