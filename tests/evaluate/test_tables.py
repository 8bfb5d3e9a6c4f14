"""Tables of a report: every number is there, and names cannot break the format."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from evaluation_rows import Judged, minimal_sets, perfect

from srpo.evaluate import adjust, compare, first_failing_steps, metrics, two_by_two
from srpo.tables import (
    NAMES,
    RENDER,
    Table,
    metrics_table,
    render_csv,
    render_latex,
    render_markdown,
    tables_of,
    write_tables,
)
from srpo.types import BenchmarkScore, JudgeCard, Metric, Report

HOSTILE = r"a|b & 50% of $x_1$ <script> \end{tabular} [l](u) ~^#"
RATE = Metric(value=0.25, n=8, low=0.125, high=None, unscored=1, method="m")


def full_report() -> Report:
    base = minimal_sets(20, lambda s: Judged(False, False, False, False) if s.group < "g005" else perfect(s))
    rates = {"base": metrics(base, seed=0), HOSTILE: metrics(minimal_sets(20, perfect), seed=0)}
    card = JudgeCard(
        judge="j",
        flag="safe",
        calibrated_on="people",
        confusion={},
        **dict.fromkeys(("kappa", "sensitivity", "specificity", "precision", "human_rate", "judge_rate"), RATE),
        corrected={"ppi": RATE},
    )
    score = BenchmarkScore(benchmark="b", protocol="v1", judge="j", system="base", decoding="greedy", rates={"x": RATE})
    return Report(
        systems=rates,
        levels={"1": rates},
        probes={"blank": {"base": {"safe": RATE}}},
        agreement={"declined": RATE},
        two_by_two={"base": two_by_two(base)},
        first_failing_step={"base": first_failing_steps(base)},
        comparisons=tuple(adjust([compare(base, base, name, seed=0) for name in ("safe", "over_refusal")])),
        benchmarks=(score,),
        cards=(card,),
        seed=0,
        judge="oracle",
        config_sha256="0",
    )


def test_every_table_of_a_report_is_written_in_three_forms(tmp_path: Path) -> None:
    paths = write_tables(tmp_path / "tables", full_report())
    names = {path.stem for path in paths}
    assert names == {
        *("headline", "systems", "levels", "probes", "agreement", "two_by_two", "first_failing_step"),
        *("benchmarks", "judge_cards", "comparisons"),
    }
    assert sorted(path.name for path in paths) == sorted(f"{n}.{e}" for n in names for e in ("csv", "md", "tex"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables/probes.csv").read_text(encoding="utf-8"))))
    assert rows == [
        {
            **{"probe": "blank", "system": "base", "rate": "safe"},
            **{"value": "0.25", "low": "0.125", "high": "", "n": "8", "unscored": "1"},
        }
    ]


def test_tables_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    report = full_report()
    write_tables(tmp_path, report)
    own = tmp_path / "probes_of_my_own.csv"
    own.write_text("kept", encoding="utf-8")
    paths = write_tables(tmp_path, report.model_copy(update={"probes": {}, "cards": (), "comparisons": ()}))
    assert {path.stem for path in paths}.isdisjoint({"probes", "judge_cards", "comparisons"})
    assert set(tmp_path.iterdir()) == {*paths, own}
    assert {table.name for table in tables_of(report)} < set(NAMES)


def test_csv_gives_back_what_the_report_holds() -> None:
    report = full_report()
    table = next(table for table in tables_of(report) if table.name == "systems")
    rows = list(csv.DictReader(io.StringIO(render_csv(table))))
    assert len(rows) == sum(len(rates) for rates in report.systems.values())
    for row in rows:
        metric = report.systems[row["system"]][row["rate"]]
        assert (row["value"], row["n"]) == ("" if metric.value is None else repr(metric.value), str(metric.n))


def test_a_line_per_rate_and_a_column_per_system() -> None:
    table = metrics_table({"a": {"over_refusal": RATE, "joint4": RATE}, "b": {"own": RATE}})
    assert table.columns == ("rate", "a", "b")
    assert table.rows == (
        ("Whole set right", "25.0", None),
        ("Over-refusal \u2193", "25.0", None),
        ("own", None, "25.0"),
    )


def test_names_cannot_break_the_format() -> None:
    table = Table(
        "t", f"title\n{HOSTILE}", ("name", HOSTILE), ((HOSTILE, -0.5), ("=SUM(A1)", None), ("two\nlines", 1e-9))
    )
    markdown, latex = render_markdown(table), render_latex(table)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in markdown.splitlines() if line.startswith("|"))
    assert "<script>" not in markdown and "](u)" not in markdown.replace(r"\]", "")
    comment, *lines = latex.splitlines()
    assert comment.startswith("% title a|b") and "".join(lines).count(r"\end{tabular}") == 1
    body = latex.split(r"\midrule")[1]
    assert [len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")] == [1, 1, 1]
    assert re.search(r"(?<!\\)[%#_]", body) is None
    assert r"$-$0.500" in body and "1.0e-09" in body and "--" in body
    assert "'=SUM(A1)" in RENDER["csv"](table) and list(csv.reader(io.StringIO(RENDER["csv"](table))))[1][0] == HOSTILE
