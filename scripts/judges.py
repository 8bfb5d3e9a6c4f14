"""How people agree, and how far judges agree with them, on published labels: `python scripts/judges.py`.

Reads the files of MSTS and XSTest in the folder that SRPO_BENCHMARKS names (docs/judges.md says which), writes
docs/measurements/judges.json and the tables of docs/judges.md.  The figures of a card are those of
`srpo judge calibrate` with its defaults.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from srpo.calibrate import About, LabelFile, agreement, judge_card, read_labels
from srpo.calibrate.card import both
from srpo.calibrate.figures import corrected, kappa
from srpo.judge.lexicon import declines
from srpo.records import file_sha256
from srpo.stats import wilson
from srpo.types import JudgeCard, Metric

ROOT = Path(__file__).parent.parent
OUT, PAGE = ROOT / "docs" / "measurements" / "judges.json", ROOT / "docs" / "judges.md"
BENCHMARKS = Path(os.environ.get("SRPO_BENCHMARKS", ROOT.parent / "shared" / "benchmarks"))
MSTS = "msts/human_labels_english_multimodal.csv"
XSTEST = ("xstest/llama2_completions_labels.csv", "xstest/gpt4_completions_labels.csv")
SUBSET, DRAWS = 200, 200

Flags = Sequence[bool | None]


def study(folder: Path, draws: int = DRAWS) -> dict[str, Any]:
    """All figures of the files in a folder, rounded to four digits; without draws there is no coverage."""
    found: dict[str, Any] = {"sha256": {}, "people": {}, "judges": {}}
    for name in (MSTS, *XSTEST):
        file = read_labels(folder / name, judge="gpt4_label" if name in XSTEST else None)
        found["sha256"][name] = file_sha256(file.path)
        found["people"][name] = people(file)
        if name in XSTEST:
            flags = {"gpt4_label": file.judge, "wording": [declines(row.response) for row in file.rows]}
            found["judges"][name] = {judge: figures(file, judge, given, draws) for judge, given in flags.items()}
            classes = kappa([row.label for row in file.rows], [row.judge for row in file.rows], file.clusters, 0)
            found["judges"][name]["gpt4_label"]["kappa, all labels"] = numbers(classes)
    return found


def people(file: LabelFile) -> dict[str, Any]:
    """Agreement of the two annotators."""
    found = agreement(file, seed=0)
    assert found is not None and found.kappa is not None and found.kappa_classes is not None
    named = {"kappa": found.kappa, "kappa, all labels": found.kappa_classes, "alpha": found.alpha, "rate": found.rate}
    return {"flag": file.flag, **{name: numbers(metric) for name, metric in named.items()}}


def figures(file: LabelFile, judge: str, flags: Flags, draws: int) -> dict[str, Any]:
    """The card of a judge, and how often its intervals hold the people's rate."""
    card = judge_card(file, flags, About(judge), seed=0, subset=SUBSET)
    metrics = {name: value for name, value in card if isinstance(value, Metric)} | card.corrected
    return {
        "confusion": card.confusion,
        **{name: numbers(metric) for name, metric in metrics.items() if name != "between_people"},
        **({"coverage": coverage(file, flags, card, draws)} if draws else {}),
    }


def coverage(file: LabelFile, flags: Flags, card: JudgeCard, draws: int) -> dict[str, float]:
    """Share of draws of the labelled subset whose 95 % interval holds the rate by people over all items."""
    truth, counts = card.human_rate.value or 0.0, {"people alone": 0, "ppi": 0, "rogan_gladen": 0}
    for seed in range(1, draws + 1):
        judged = corrected(both(file, flags), SUBSET, seed)
        alone = corrected(both(file, [False] * len(flags)), SUBSET, seed)["ppi"]
        for name, metric in {"people alone": alone, **judged}.items():
            assert metric.low is not None and metric.high is not None
            counts[name] += metric.low <= truth <= metric.high
    raw = wilson(sum(map(bool, flags)), len(flags))
    assert raw is not None
    shares = {name: round(count / draws, 4) for name, count in counts.items()}
    return {"raw": float(raw.low <= truth <= raw.high), **shares}


def numbers(metric: Metric) -> dict[str, Any]:
    """What a table shows of a metric."""
    shown = {name: getattr(metric, name) for name in ("value", "low", "high")}
    return {name: None if x is None else round(x, 4) for name, x in shown.items()} | {"n": metric.n}


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the page, by the name of their place."""
    return {
        name: "\n".join(rows(found)) for name, rows in {"people": _people, "judges": _judges, "rates": _rates}.items()
    }


def _people(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| file | n | flag | kappa | kappa, all labels | alpha | rate by people |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in found["people"].items():
        cells = " | ".join(_cell(row[key]) for key in ("kappa", "kappa, all labels", "alpha", "rate"))
        yield f"| `{name}` | {row['kappa']['n']} | {row['flag']} | {cells} |"


def _judges(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| file | judge | n | kappa | kappa, all labels | sensitivity | specificity | precision |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, judges in found["judges"].items():
        for judge, row in judges.items():
            keys = ("kappa", "kappa, all labels", "sensitivity", "specificity", "precision")
            cells = " | ".join(_cell(row.get(key)) for key in keys)
            yield f"| `{name}` | {judge} | {row['kappa']['n']} | {cells} |"


def _rates(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| file | judge | people | raw | PPI++ | Rogan-Gladen | draws whose interval holds the people's rate |"
    yield "|---|---|---|---|---|---|---|"
    for name, judges in found["judges"].items():
        for judge, row in judges.items():
            cells = " | ".join(_cell(row[key]) for key in ("human_rate", "judge_rate", "ppi", "rogan_gladen"))
            held = ", ".join(f"{key} {share:.3f}" for key, share in row["coverage"].items())
            yield f"| `{name}` | {judge} | {cells} | {held} |"


def _cell(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return ""
    return f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def page_with(page: str, found: Mapping[str, Any]) -> str:
    """The page with its tables in place."""
    for name, table in tables(found).items():
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        after = rest.partition(f"<!-- /{name} -->")[2]
        page = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    return page


def main() -> None:
    found = study(BENCHMARKS)
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(OUT, PAGE)


if __name__ == "__main__":
    main()
