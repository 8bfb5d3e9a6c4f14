"""One command from nothing to a published dataset, over real HTTP, whatever stops it on the way."""

from __future__ import annotations

import multiprocessing
import random
import re
import shlex
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner
from world_process import get, serving_world

from srpo.cli import app
from srpo.data.folder import DatasetFolder
from srpo.errors import DataError
from srpo.progress import silent
from srpo.records import read_records
from srpo.runs import RunFolder
from srpo.simulate.checks import ChecksReport
from srpo.simulate.dataset import WorldDataset, make_dataset, serving
from srpo.simulate.reviewers import SimulatedReviewers
from srpo.types import Contrast, DraftSet, Rejection, Sample, Verdict
from srpo.world.pool import write_pool

PLAN = WorldDataset(Path(), sets=3, agent_errors=0.0, judge_errors=0.0, failures=0.01, seed=1, pictures=6)
PEOPLE = SimulatedReviewers(seed=1)


def published(out: Path) -> dict[str, bytes]:
    """All files but those that tell of calls that were made twice, and of hours."""
    folder = out / "published"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if name not in ("README.md", "publication.json")}


def command(out: Path) -> list[str]:
    words = ["world", "dataset", str(out), "--sets", "3", "--pictures", "6", "--seed", "1"]
    return [*words, "--agent-errors", "0", "--judge-errors", "0", "--failures", "0.01"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that was made without a stop."""
    out = tmp_path_factory.mktemp("world") / "whole"
    result = CliRunner().invoke(app, command(out))
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert "sets that are right" in result.output
    return out


def test_a_dataset_without_errors_is_right(whole: Path) -> None:
    folder = DatasetFolder(whole / "build")
    report = ChecksReport.model_validate_json((whole / "checks.json").read_text(encoding="utf-8"))
    assert report.kept_sets >= 3 and report.kept.hits == report.kept.n == 4 * report.kept_sets
    right = {row.stage: row.right.hits == row.right.n for row in report.stages}
    before = ("query", "reasoning", "reflection")
    assert right == {stage: stage not in before for stage in right}, "unsafe pictures go out by adjudication"
    by_name = {figures.name: figures for figures in report.checks}
    assert by_name["image_only"].defects >= 1, "a picture of the pool is unsafe by itself"
    for figures in report.checks:
        assert figures.recall.hits == figures.recall.n and figures.precision.hits == figures.precision.n
    reasons = {row.reason for row in read_records(folder.rejections, Rejection)}
    assert reasons <= {"image_only", "nothing_found", "no_picture"}, "without errors, nothing else is dropped"
    samples = read_records(folder.samples, Sample)
    assert {sample.cell for sample in samples} == {"hazard", "benign_image", "benign_text", "benign_both"}
    assert len(read_records(folder.sets, DraftSet)) == len(samples) / 4


def test_a_second_start_asks_nothing(whole: Path) -> None:
    folder, before = DatasetFolder(whole / "build"), published(whole)
    files = {path: path.read_bytes() for path in (folder.samples, folder.reviews, folder.usage)}
    again = CliRunner().invoke(app, command(whole))
    assert again.exit_code == 0 and {path: path.read_bytes() for path in files} == files
    assert published(whole) == before


def stages_of_the_page(samples: Path, run: Path, url: str) -> dict[str, list[str]]:
    """Stage -> its command in the documents, with other places."""
    page = (Path(__file__).parents[2] / "docs" / "ssui_world.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    srpo (.* ?runs/mine.*)$", page, re.MULTILINE)
    own = {"/tmp/ssui-world/published/samples.jsonl": samples, "runs/mine": run, "http://127.0.0.1:8000/v1": url}
    found = {}
    for line in lines:
        for name, value in own.items():
            line = line.replace(name, str(value))
        found[line.partition(" ")[0]] = shlex.split(line)
    return found


def test_what_is_published_trains_as_the_page_says(whole: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    small = ["explore.branches_per_prefix=2", "train.max_steps=2", "train.gradient_accumulation_steps=1"]
    with serving_world(whole / "pool", "--judge-errors", "0") as url:
        stages = stages_of_the_page(whole / "published" / "samples.jsonl", run.path, url)
        assert list(stages) == ["init", "explore", "judge", "train", "evaluate", "report"]
        stages["init"] += [*small, "evaluate.splits=[train]"]  # so few sets are all for training
        for stage in ("init", "explore", "judge", "train"):
            result = CliRunner().invoke(app, stages[stage])
            assert result.exit_code == 0, result.output + repr(result.exception)
    verdicts = read_records(run.verdicts, Verdict)
    assert {(row.part, row.failure) for row in verdicts} == {("answer", None)}, "the server knows every picture"
    assert read_records(run.contrasts, Contrast)
    assert (run.path / "checkpoint" / "final").is_dir()


def first(folder: Path, pattern: str) -> bool:
    """Whether anything there has such a name."""
    return next(folder.glob(pattern), None) is not None


def kill(out: Path, reached: Callable[[], bool], delay: float) -> None:
    """Make the dataset, and kill that some time after something is reached, if it has not ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["srpo.simulate.dataset", "datasets", "pyarrow.parquet", "sklearn.ensemble"])
    process = context.Process(target=make_dataset, args=(replace(PLAN, out=out), PEOPLE, silent, str))
    process.start()
    while process.is_alive() and not reached():
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.join()


def make_with_kills(out: Path, rng: random.Random) -> None:
    """Killed at a random moment while pictures are drawn, stages run, people review, and the release is written."""
    kill(out, lambda: first(out, "pool/pictures"), rng.uniform(0, 0.1))
    kill(out, lambda: first(out, "build/query.jsonl"), rng.uniform(0, 3))
    kill(out, lambda: first(out, "build/review.sqlite"), rng.uniform(0, 0.15))
    kill(out, lambda: first(out, ".published.*.tmp"), rng.uniform(0, 1))
    make_dataset(replace(PLAN, out=out), PEOPLE, silent, str)


def test_whatever_kills_it_the_same_is_published(whole: Path, tmp_path: Path) -> None:
    make_with_kills(tmp_path, random.Random(3))
    assert published(tmp_path) == published(whole)
    left = [path.name for path in tmp_path.iterdir()]
    assert sorted(left) == ["begun.json", "build", "checks.json", "pool", "published", "server.log"]


@pytest.mark.parametrize(
    ("plan", "people", "said"),
    [
        (replace(PLAN, seed=2), PEOPLE, "seed 1, now it is 2"),
        (replace(PLAN, pictures=12), PEOPLE, "pictures 6, now it is 12"),
        (replace(PLAN, judge_errors=0.1), PEOPLE, "judge_errors 0.0, now it is 0.1"),
        (PLAN, SimulatedReviewers(seed=1, errors=0.5), "reviewers.errors 0.05, now it is 0.5"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(
    whole: Path, plan: WorldDataset, people: SimulatedReviewers, said: str
) -> None:
    with pytest.raises(DataError, match=f"{said}; take that again, or choose another folder"):
        make_dataset(replace(plan, out=whole), people, silent, str)


@pytest.mark.parametrize("name", ["build", "thesis.txt"])
def test_a_folder_that_no_start_has_begun_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / ".begun.json.12.tmp").touch()  # of a start that was killed
    with pytest.raises(DataError, match=f"holds '{name}', but no begun.json; choose another folder"):
        make_dataset(replace(PLAN, out=tmp_path), PEOPLE, silent, str)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".begun.json.12.tmp", name]


def test_a_file_is_no_place_for_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: is a file; choose another folder"):
        make_dataset(replace(PLAN, out=tmp_path / "file"), PEOPLE, silent, str)


def test_a_server_that_warns_a_lot_goes_on_and_one_of_an_earlier_start_is_not_heard(tmp_path: Path) -> None:
    plan = replace(PLAN, out=tmp_path)
    write_pool(plan.pool, 2, 0)
    with plan.log.open("a", buffering=1, encoding="utf-8") as earlier:
        late = threading.Timer(0.3, earlier.write, ["4 pictures at http://127.0.0.1:1/v1\n"])
        late.start()
        with serving(plan) as url:
            late.join()
            where = urllib.parse.urlsplit(url)
            while plan.log.stat().st_size < 100_000:  # more than a pipe holds
                for _ in range(100):
                    with socket.create_connection((str(where.hostname), where.port or 0)) as line:
                        line.sendall(b"no request\r\n\r\n")
                        line.recv(1000)
            assert get(url.removesuffix("/v1") + "/health") == {"status": "ok"}
