"""Time, memory and refusals."""

from __future__ import annotations

import platform

import pytest
import torch
from typer.testing import CliRunner

from srpo.bench.measure import naming, over_tree, peak_bytes, seconds_of, summary
from srpo.cli import app
from srpo.errors import ModelError, SrpoError


def test_ways_take_turns():
    order: list[str] = []
    ways = {name: (lambda name=name: order.append(name)) for name in ("a", "b")}
    seconds = seconds_of(ways, 2, "cpu", lambda count: None)
    assert order == ["a", "b", "a", "b"]
    assert [len(values) for values in seconds.values()] == [2, 2]


def test_medians_spread_and_ratios():
    medians, spread = summary({"flat": [3.0, 9.0, 4.0], "tree": [2.0, 1.0, 2.5]})
    assert medians == {"flat": 4.0, "tree": 2.0}
    assert (spread["flat"].low, spread["flat"].high) == (3.0, 9.0)
    assert over_tree(medians) == {"flat": 2.0}


@pytest.mark.skipif(platform.system() != "Linux", reason="peak memory is read from the Linux kernel")
def test_peak_memory_counts_what_was_in_use_for_a_moment():
    size = 2**26
    peak = peak_bytes(lambda: torch.ones(size // 4).sum(), "a", "cpu")
    assert peak is not None and 0.95 * size < peak < 1.3 * size


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")])
def test_running_out_of_memory_names_the_way(error: Exception):
    with pytest.raises(ModelError, match="flat: out of memory on cuda:0; lower --rows"), naming("flat", "cuda:0"):
        raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), naming("flat", "cpu"):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--branches", "1"], "--branches is 1; give at least 2"),
        (["--device", "cuda:99"], "--device cuda:99 cannot be used"),
        (["--json", "none/x.json"], "none/x.json: its folder does not exist"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_work(options: list[str], words: str):
    done = CliRunner().invoke(app, ["bench", "train", "--size", "tiny", *options])
    assert isinstance(done.exception, SrpoError) and words in str(done.exception)
    assert done.output == ""
