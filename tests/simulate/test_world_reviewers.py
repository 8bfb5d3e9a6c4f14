"""Simulated people: right without errors, wrong as often as stated, blind, and able to go on after a stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from asking import Asker
from scipy.stats import binomtest
from world_samples import samples_of

from srpo.data.folder import DatasetFolder
from srpo.data.settle import settle
from srpo.records import read_records, write_records
from srpo.simulate.reviewers import SimulatedReviewers, choose, review_run
from srpo.simulate.truth import Scenes, judge_sample
from srpo.types import Review, Sample


@pytest.fixture
def run(asker: Asker, pool: Path, tmp_path: Path) -> Path:
    """Samples of which every third is wrong: half of those in words that can be mended."""
    (tmp_path / "pictures").symlink_to(pool / "pictures")
    write_records(DatasetFolder(tmp_path).samples, samples_of(asker, 60))
    return tmp_path


def test_people_without_errors_keep_what_is_right_and_mend_what_can_be_mended(run: Path, pool: Path) -> None:
    folder, scenes = DatasetFolder(run), Scenes(pool, run)
    done = review_run(run, pool, SimulatedReviewers(errors=0, edits=1, edit_errors=0))
    samples = read_records(folder.samples, Sample)
    reviews = read_records(folder.reviews, Review)
    assert (done.decisions, done.settled) == (120, 0) and len(reviews) == 120
    assert all(review.blind for review in reviews)
    settled = settle(samples, reviews)
    assert all(judge_sample(sample, scenes.of(sample.image)).right for sample in settled.kept)
    assert (len(settled.kept), len(settled.edited), len(settled.dropped)) == (50, 10, 10)


def test_people_err_as_often_as_stated(asker: Asker, pool: Path) -> None:
    scenes, people = Scenes(pool, pool), SimulatedReviewers(errors=0.2, edits=0.5, edit_errors=0.5, seed=4)
    samples, wrong = samples_of(asker, 60), Counter[bool]()
    total: Counter[bool] = Counter()
    for number in range(40):
        for sample in samples:
            right = judge_sample(sample, scenes.of(sample.image)).right
            decision = choose(sample, f"person {number}", scenes, people).decision
            total[right] += 1
            wrong[right] += (decision == "keep") != right
    for right, count in total.items():
        assert binomtest(wrong[right], count, 0.2).pvalue > 1e-4, (right, wrong[right], count)


def test_disagreements_are_settled_and_a_second_start_changes_nothing(run: Path, pool: Path) -> None:
    people, folder = SimulatedReviewers(errors=0.3), DatasetFolder(run)
    done = review_run(run, pool, people)
    first = folder.reviews.read_bytes()
    assert done.settled > 5
    again = review_run(run, pool, people)
    assert (again.decisions, folder.reviews.read_bytes()) == (0, first)
    settled = settle(read_records(folder.samples, Sample), read_records(folder.reviews, Review))
    assert settled.undecided == ()


def decided(path: Path) -> list[tuple[str, str, str]]:
    return sorted((r.sample, r.reviewer, r.decision) for r in read_records(DatasetFolder(path).reviews, Review))


def test_a_killed_simulation_goes_on_to_the_same_end(run: Path, pool: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "srpo", "world", "review", str(run), "--pool", str(pool)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not DatasetFolder(run).review_database.exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.15)
    process.send_signal(signal.SIGKILL)
    process.wait()
    review_run(run, pool, SimulatedReviewers())
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "pictures").symlink_to(pool / "pictures")
    (whole / "samples.jsonl").write_bytes(DatasetFolder(run).samples.read_bytes())
    review_run(whole, pool, SimulatedReviewers())
    assert decided(run) == decided(whole) and len(decided(run)) >= 120
