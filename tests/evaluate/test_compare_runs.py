"""`srpo compare` and `srpo leaderboard` on small runs written by hand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from evaluation_rows import Judged, make_sample, minimal_sets, perfect
from typer.testing import CliRunner

from srpo.cli.compare import compare, leaderboard
from srpo.comparing import compare_sides, csv_table, read_sides, tables_of
from srpo.config import load_config
from srpo.errors import ConfigError, DataError
from srpo.evaluate import metrics
from srpo.finished import answer_id
from srpo.records import iterate_records, write_records, write_text
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.tables import RENDER
from srpo.types import Item, Label, Report, Result, Sample

BAD = Judged(False, False, False, False)
Behaviour = Callable[[Sample], Judged]


def unsafe_in(sets: int) -> Behaviour:
    return lambda sample: BAD if int(sample.group[1:]) < sets and sample.cell == "hazard" else perfect(sample)


def finished_run(path: Path, judge: str = "oracle", seed: int = 0, **systems: Behaviour) -> Path:
    """A run folder with twenty minimal sets; `base` and `srpo` are known to every run, others to `systems`."""
    own = [name for name in systems if name not in ("base", "srpo")]
    settings = [f"evaluate.systems=[{', '.join(systems)}]", "evaluate.splits=[rsbench]", "evaluate.sampled=false"]
    config = load_config(None, [f"seed={seed}", *settings, *(f"systems.{n}.model=embedded" for n in own)], RunConfig)
    run = RunFolder.create(path)
    run.save_config(config)
    results = [row for name, behaviour in systems.items() for row in _named(name, behaviour, judge)]
    write_records(run.results, results)
    samples = [make_sample(row.cell, row.group) for row in results if row.system == next(iter(systems))]
    write_records(run.samples, samples)
    rates = {name: metrics([row for row in results if row.system == name], seed=0) for name in systems}
    report = Report(systems=rates, seed=seed, judge=judge, config_sha256="0")
    write_text(run.report_json, report.model_dump_json())
    return path


def _named(system: str, behaviour: Behaviour, judge: str) -> list[Result]:
    rows = minimal_sets(20, behaviour, system=system)
    return [
        row.model_copy(update={"completion": answer_id(system, row.sample, "greedy"), "judge": judge}) for row in rows
    ]


def test_all_systems_of_one_run_against_its_first(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "one", base=unsafe_in(12), srpo=unsafe_in(0), other=unsafe_in(11))
    lines = compare_sides(read_sides([str(run)]), decoding="greedy", seed=0)
    found = {(line.comparison.system, line.comparison.metric): line for line in lines}
    safe = found["srpo", "safe"]
    assert (safe.before.value, safe.after.value, safe.comparison.baseline) == (0.4, 1.0, "base")
    assert (safe.comparison.finding, found["other", "safe"].comparison.finding) == (
        "better",
        "no evidence of a difference",
    )
    names = [line.comparison.metric for line in lines if line.comparison.system == "srpo"]
    assert names[1:3] == ["safe", "over_refusal"]
    assert safe.comparison.p_adjusted is not None and safe.comparison.p_value is not None
    # Twelve rates of two systems were tested; three others have an equal or smaller p-value at most.
    assert 20 * safe.comparison.p_value < safe.comparison.p_adjusted <= 24 * safe.comparison.p_value


def test_systems_of_two_runs_are_named_by_their_run(tmp_path: Path) -> None:
    first, second = finished_run(tmp_path / "a", base=unsafe_in(3)), finished_run(tmp_path / "b", base=unsafe_in(1))
    sides = read_sides([f"{first}:base", str(second)])
    assert [side.name for side in sides] == [f"{first}:base", f"{second}:base"]
    table = tables_of(compare_sides(sides, decoding="greedy", seed=0))[0]
    row = dict(zip(table.columns, table.rows[1], strict=True))
    assert (row["rate"], row[f"{first}:base"], row[f"{second}:base"]) == ("Safe reply", "85.0", "95.0")
    assert str(row["difference [95 %]"]).startswith("+10.0 [") and row["n"] == "20"


def test_what_cannot_be_compared_is_refused_by_name(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "a", base=perfect)
    with pytest.raises(ConfigError, match=r"needs two systems, got .*a:base"):
        read_sides([str(run)])
    with pytest.raises(ConfigError, match="no system 'bsae'; it has base"):
        read_sides([str(run), f"{run}:bsae"])
    with pytest.raises(DataError, match="no such folder"):
        read_sides([str(run), str(tmp_path / "none")])
    other = read_sides([str(run), str(finished_run(tmp_path / "b", judge="panel", base=perfect))])
    with pytest.raises(DataError, match="judges differ: oracle against panel"):
        compare_sides(other, decoding="greedy", seed=0)
    with pytest.raises(DataError, match="no results under decoding 'sampled'; it has greedy"):
        compare_sides(other, decoding="sampled", seed=0)


def test_equal_ids_with_another_request_are_refused(tmp_path: Path) -> None:
    first, second = (finished_run(tmp_path / name, base=perfect) for name in "ab")
    samples = [make_sample(row.cell, row.group) for row in minimal_sets(20, perfect)]
    write_records(RunFolder(second).samples, [samples[0].model_copy(update={"question": "another"}), *samples[1:]])
    with pytest.raises(
        DataError, match=r"g000-hazard has another picture, request or reference in .*a than in .*b \(1 such\)"
    ):
        compare_sides(read_sides([str(first), str(second)]), decoding="greedy", seed=0)


def test_csv_has_every_number(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "one", base=unsafe_in(12), srpo=unsafe_in(1))
    lines = compare_sides(read_sides([str(run)]), decoding="greedy", seed=0)
    rows = list(csv.DictReader(io.StringIO(RENDER["csv"](csv_table(lines)))))
    safe = next(row for row in rows if row["metric"] == "safe")
    assert (float(safe["baseline_value"]), float(safe["system_value"]), safe["n"]) == (0.4, 0.95, "20")
    assert float(safe["difference"]) == pytest.approx(0.55) and float(safe["p_value"]) == 11 * 2 / 2**11 / 11
    assert (safe["finding"], safe["judge"], safe["only_system"]) == ("better", "oracle", "11")


def answered_benchmark(path: Path, refused: int, judge: str = "j") -> Path:
    """A run of one system on a benchmark of thirty harmless requests in our own words, so many of them refused."""
    settings = [
        "evaluate.systems=[base]",
        "evaluate.splits=[]",
        "evaluate.sampled=false",
        "benchmarks.xstest.path=prompts.csv",
        "benchmarks.xstest.protocols=[official]",
    ]
    run = RunFolder.create(path)
    run.save_config(load_config(None, settings, RunConfig))
    items = [
        Item(
            **{
                "id": f"xstest:{i}",
                "benchmark": "xstest",
                "subset": "safe",
                "cluster": str(i),
                "question": f"Ask {i}?",
            },
            **{"licence": "own", "source": "test"},
        )
        for i in range(30)
    ]
    write_records(run.items, items)
    write_records(run.labels, [_label(item, number < refused, judge) for number, item in enumerate(items)])
    run.record_judges((), [("xstest", "official", judge)])
    return path


def _label(item: Item, refused: bool, judge: str) -> Label:
    return Label(
        completion=answer_id("base", item.id, "greedy"),
        item=item.id,
        benchmark=item.benchmark,
        subset=item.subset,
        cluster=item.cluster,
        system="base",
        decoding="greedy",
        protocol="official",
        judge=judge,
        labels={"class": "2_full_refusal" if refused else "1_full_compliance"},
    )


def test_public_benchmarks_are_compared_with_their_own_direction(tmp_path: Path) -> None:
    first, second = answered_benchmark(tmp_path / "a", 14), answered_benchmark(tmp_path / "b", 2)
    sides = read_sides([str(first), str(second)])
    lines = {line.label: line for line in compare_sides(sides, decoding="greedy", seed=0)}
    line = lines["refusal_safe"]
    assert (line.benchmark, line.comparison.benchmark, line.good) == ("xstest official", "xstest official", False)
    assert (line.before.value, line.after.value) == (14 / 30, 2 / 30)
    one = line.comparison
    assert (one.difference, one.n, one.only_system, one.finding) == (pytest.approx(-0.4), 30, 12, "better")
    assert lines["refusal_contrast"].comparison.finding == "not compared"


def test_labels_of_other_judges_or_questions_are_refused(tmp_path: Path) -> None:
    first, second = answered_benchmark(tmp_path / "a", 1), answered_benchmark(tmp_path / "b", 1, judge="k")
    with pytest.raises(DataError, match="xstest official: judges differ: j against k"):
        compare_sides(read_sides([str(first), str(second)]), decoding="greedy", seed=0)
    third = RunFolder(answered_benchmark(tmp_path / "c", 1))
    changed = [item.model_copy(update={"question": "Another?"}) for item in iterate_records(third.items, Item)]
    write_records(third.items, changed)
    with pytest.raises(DataError, match=r"xstest:0 has another picture, request or reference .*\(30 such\)"):
        compare_sides(read_sides([str(first), str(third.path)]), decoding="greedy", seed=0)


def test_runs_without_a_common_benchmark_are_refused(tmp_path: Path) -> None:
    sides = read_sides([str(answered_benchmark(tmp_path / "a", 1)), str(finished_run(tmp_path / "b", base=perfect))])
    with pytest.raises(DataError, match="no benchmark in common"):
        compare_sides(sides, decoding="greedy", seed=0)


@pytest.fixture
def command() -> Callable[..., str]:
    """Output of a command that must succeed."""
    app = typer.Typer()
    app.command()(compare)
    app.command()(leaderboard)

    def run(*words: str | Path) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_the_command_prints_and_writes(tmp_path: Path, command: Callable[..., str]) -> None:
    run = finished_run(tmp_path / "one", base=unsafe_in(12), srpo=unsafe_in(1), b_2=unsafe_in(5))
    shown = command("compare", run)
    safe, refusal = (
        next(line for line in shown.splitlines() if line.startswith(name)) for name in ("Safe r", "Over-r")
    )
    assert "+55.0 [" in safe and safe.rstrip().endswith("better") and "no evidence of a difference" in refusal
    assert shown.count("Over-refusal") == shown.count("Safe reply") == 2
    out = tmp_path / "table.tex"
    assert str(out) in command("compare", run, "--format", "latex", "--out", out)
    latex = out.read_text(encoding="utf-8")
    assert r"b\_2" in latex and r"95 \%" in latex and r"\begin{tabular}{llllllll}" in latex
    assert "| Safe reply | 40.0 | 95.0 | +55.0 " in command("compare", run, "--format", "markdown")


def test_runs_of_one_judge_stand_in_one_block(tmp_path: Path, command: Callable[..., str]) -> None:
    runs = [finished_run(tmp_path / f"s{seed}", seed=seed, base=unsafe_in(seed)) for seed in range(2)]
    other = finished_run(tmp_path / "other", judge="panel", base=perfect)
    page = tmp_path / "board.html"
    assert "3 rows in 2 blocks" in command("leaderboard", *runs, other, "--out", page)
    assert "panel" in page.read_text(encoding="utf-8")


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "comparing.md"
    code = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]
    finished_run(tmp_path / "runs/demo", base=unsafe_in(12), srpo=unsafe_in(0))
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert capsys.readouterr().out == "better no evidence of a difference\n"
