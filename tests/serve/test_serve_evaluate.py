"""Three systems measured twice: with local models, and with the same models behind `srpo serve`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from serve_process import KEY, serving

import run_files
from srpo.config import load_config
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.types import Completion, Result

SETTINGS = (
    *("world.train=2", "world.rsbench=5", "explore.prefixes=[3]", "explore.branches_per_prefix=2"),
    *("train.max_steps=3", "train.learning_rate=1e-4", "train.warmup_steps=1", "report.trees=0"),
    *("evaluate.repeats=1", "evaluate.probes=[blank, risk_replaced]"),
)
FIGURES = (
    *("systems", "sampled", "splits", "levels", "categories", "comparisons", "first_failing_step", "two_by_two"),
    *("risk_steps", "risk_naming", "probes", "faithfulness", "wording", "judge"),
)


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The embedded model, a little training, and three systems: base, srpo, refuse."""
    config = load_config(run_files.RECIPES / "rsbench.yaml", list(SETTINGS), RunConfig)
    run = run_files.start(tmp_path_factory.mktemp("runs") / "local", config)
    run_files.go(run, config)
    return run


@pytest.fixture(scope="module")
def served_run(local_run: RunFolder, server_url: str) -> Iterator[RunFolder]:
    """The same systems from the command line, where the two models are servers and nothing is trained."""
    trained, served = local_run.round(1).trained, local_run.path.parent / "served"
    with pytest.MonkeyPatch.context() as patch, serving(f"hf:{trained}", "--name", "tuned", SRPO_API_KEY=KEY) as (_, u):
        patch.setitem(run_files.ENVIRONMENT, "OPENAI_API_KEY", KEY)
        systems = ("systems.tuned.model=openai:tuned", f"systems.tuned.base_url={u}")
        base = ("model=openai:embedded", f"base_url={server_url}", "evaluate.systems=[base, tuned, refuse]")
        done = run_files.call("evaluate", served, "--config", "rsbench", *SETTINGS, *base, *systems)
    assert done.returncode == 0, done.stderr
    yield RunFolder(served)


def test_a_server_writes_the_same_texts(local_run: RunFolder, served_run: RunFolder) -> None:
    local, served = (texts(run) for run in (local_run, served_run))
    assert local == served
    assert {system for system, *_ in local} == {"base", "tuned", "refuse"} and len(local) > 3 * 20 * 3
    before, after = ({k[1:]: t for k, t in local.items() if k[0] == name} for name in ("base", "tuned"))
    assert any(before[key] != after[key] for key in before.keys() & after.keys())  # the training did something


def test_a_server_gets_the_same_results_and_report(local_run: RunFolder, served_run: RunFolder) -> None:
    local, served = (results(run) for run in (local_run, served_run))
    assert local == served
    figures = [report(run) for run in (local_run, served_run)]
    assert figures[0] == figures[1]
    assert figures[0]["systems"]["refuse"]["joint4"]["value"] == 0


def test_another_judge_needs_no_server(served_run: RunFolder) -> None:
    """Both servers of the systems are unreachable now: the key is gone and one of them has ended."""
    before = served_run.responses.read_bytes()
    done = run_files.call("evaluate", served_run.path, "evaluate.judge={kind: simulated, false_safe: 1.0}")
    assert done.returncode == 0, done.stderr
    assert served_run.responses.read_bytes() == before
    told = json.loads(served_run.report_json.read_text())
    assert told["systems"]["base"]["safe"]["value"] == 1 and "false_safe" in told["judge"]


def named(system: str) -> str:
    return "tuned" if system == "srpo" else system


def texts(run: RunFolder) -> dict[tuple[object, ...], str]:
    rows = read_records(run.responses, Completion)
    return {(named(r.system), r.sample, r.decoding, r.repeat, r.probe): r.text for r in rows}


def results(run: RunFolder) -> list[dict[str, Any]]:
    rows = [row.model_dump(exclude={"completion"}) for row in read_records(run.results, Result)]
    rows = [row | {"system": named(row["system"])} for row in rows]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def report(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.report_json.read_text().replace('"srpo"', '"tuned"'))
    return {name: found[name] for name in FIGURES}
