"""The task folder for lmms-eval, read and called as lmms-eval does."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image as PILImage

from run_files import ENVIRONMENT, RECIPES, go, good_and_bad, start
from srpo.config import load_config
from srpo.engines import RSBench
from srpo.errors import ConfigError, DataError
from srpo.evaluate import metrics
from srpo.lmms_eval import FILES, write_task
from srpo.lmms_eval.functions import NAMES, results_of
from srpo.rates import RATES
from srpo.run_config import RunConfig
from srpo.runs import RunFolder

KEYS = {
    *("task", "dataset_path", "dataset_kwargs", "test_split", "output_type", "generation_kwargs", "metric_list"),
    *("doc_to_visual", "doc_to_text", "doc_to_target", "process_results", "metadata"),
}
"""Fields of the documented schema that a task of this kind has."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    sizes = ["world.train=1", "world.test_scenes=3", "world.test_combinations=0", "world.test_rules=0"]
    config = load_config(RECIPES / "demo.yaml", [*sizes, "evaluate.splits=[test_scenes]"], RunConfig)
    run = start(tmp_path_factory.mktemp("runs") / "built", config)
    go(run, config, ["init"])
    return run


@pytest.fixture
def folder(built: RunFolder, tmp_path: Path) -> Path:
    write_task(built.path, tmp_path / "task")
    return tmp_path / "task"


def read(folder: Path) -> dict[str, Any]:
    """The task with its functions, which stand in a file beside it."""

    class Loader(yaml.SafeLoader):
        """Knows `!function FILE.NAME`."""

    def function(loader: yaml.Loader, node: yaml.ScalarNode) -> object:
        file, name = loader.construct_scalar(node).rsplit(".", 1)
        spec = importlib.util.spec_from_file_location(file, folder / f"{file}.py")
        assert spec and spec.loader
        spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
        return getattr(module, name)

    Loader.add_constructor("!function", function)
    return yaml.load((folder / FILES[0]).read_text(), Loader)


def rows_of(task: dict[str, Any]) -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(task["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines()]


def test_the_task_is_of_the_documented_form(built: RunFolder, folder: Path) -> None:
    task = read(folder)
    assert task.keys() == KEYS and task["dataset_path"] == "json" and task["output_type"] == "generate_until"
    assert task["generation_kwargs"] == {"max_new_tokens": 128, "temperature": 0, "do_sample": False, "until": []}
    assert [metric["metric"] for metric in task["metric_list"]] == list(NAMES)
    for metric in task["metric_list"]:
        assert callable(metric["aggregation"])
        assert metric["higher_is_better"] == (metric["metric"] in RATES and RATES[metric["metric"]].good)


def test_rows_are_flat_and_tell_nothing_of_the_truth(built: RunFolder, folder: Path) -> None:
    rows, samples = rows_of(read(folder)), RSBench.open(built.path).samples
    assert {row["sample"] for row in rows} == set(samples) and len(rows) == 12
    for row in rows:
        sample = samples[row["sample"]]
        assert row.keys() == {"sample", "question", "run", "settings"} and set(map(type, row.values())) == {str}
        assert sample.reference.steps[-1].text not in str(row) and "scene" not in row


def test_pictures_and_words_are_those_of_the_core(built: RunFolder, folder: Path) -> None:
    task, bench = read(folder), RSBench.open(built.path)
    for row in rows_of(task):
        (message,) = bench.messages(bench.samples[row["sample"]])
        (picture,) = task["doc_to_visual"](row)
        with PILImage.open(message.images[0]) as whole:
            assert picture.mode == "RGB" and picture.tobytes() == whole.convert("RGB").tobytes()
        assert task["doc_to_text"](row) == message.text and task["doc_to_target"](row) == ""


def test_rates_are_those_of_the_core(built: RunFolder, folder: Path) -> None:
    task, samples = read(folder), RSBench.open(built.path).samples
    collected: dict[str, list[Any]] = {name: [] for name in NAMES}
    for number, row in enumerate(rows_of(task)):
        text = good_and_bad(samples[row["sample"]], list(samples.values()))[number % 3 == 0]
        for name, value in task["process_results"](row, ["No idea." if number == 1 else text.strip()]).items():
            collected[name].append(list(value))  # as after a way through JSON
    found = {one["metric"]: one["aggregation"](collected[one["metric"]]) for one in task["metric_list"]}
    core = metrics(results_of(collected["safe"]), seed=0)
    assert {name: core[name].value for name in NAMES if name in core} == {
        name: value for name, value in found.items() if name != "unscored"
    }
    assert found["unscored"] == found["malformed"] == pytest.approx(1 / 12) and 0 < found["safe_and_effective"] < 1


def test_another_judge_and_an_instruction(built: RunFolder, tmp_path: Path) -> None:
    judge = {"kind": "simulated", "failure_rate": 1.0}
    write_task(built.path, tmp_path / "task", judge=judge, instruction="six_steps")
    task = read(tmp_path / "task")
    rows = rows_of(task)
    assert all("Step 1" in row["question"] for row in rows)
    answers = [task["process_results"](row, ["Final answer: Yes."])["safe"] for row in rows]
    rates = {one["metric"]: one["aggregation"](answers) for one in task["metric_list"]}
    assert rates["unscored"] == 1 and rates["safe"] != rates["safe"], "no label, so no rate"


def test_nothing_is_replaced_and_mistakes_are_one_line(built: RunFolder, folder: Path, tmp_path: Path) -> None:
    before = (folder / FILES[2]).read_bytes()
    with pytest.raises(DataError, match="is there already"):
        write_task(built.path, folder)
    assert (folder / FILES[2]).read_bytes() == before
    with pytest.raises(ConfigError, match="path_format 'prose': expected one of six_steps"):
        write_task(built.path, tmp_path / "other", path_format="prose")
    command = [sys.executable, "-m", "srpo.lmms_eval"]
    wrong = subprocess.run(
        [*command, tmp_path / "none", tmp_path / "x"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: ") and wrong.stderr.count("\n") == 1
    done = subprocess.run([*command, built.path, tmp_path / "y"], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0 and {path.name for path in (tmp_path / "y").iterdir()} == set(FILES), done.stderr


def test_the_json_reader_of_datasets_takes_the_rows(folder: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    task = read(folder)
    loaded = datasets.load_dataset(task["dataset_path"], **task["dataset_kwargs"], cache_dir=str(tmp_path / "cache"))
    assert list(loaded[task["test_split"]]) == rows_of(task)
