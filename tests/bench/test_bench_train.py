"""The training benchmark: same loss in every way, and figures that fit the setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from srpo.bench.measure import TokenCounter
from srpo.bench.model import build_model, shape_of
from srpo.bench.setting import Setting
from srpo.bench.train import build_ways, largest_differences
from srpo.bench.trees import random_trees
from srpo.cli import app
from srpo.train.loss import Pair, tree_loss
from srpo.train.segments import use_segments

KEYS = {
    *("bench", "setting", "tokens", "padded_tokens", "lower_bound_tokens", "flops", "seconds", "spread", "ratios"),
    *("peak_memory_bytes", "loss", "gradient_norm", "max_abs_logp_difference", "max_abs_mean_logp_difference"),
}
SMALL = ("--size", "tiny", "--image-tokens", "4", "--steps", "2", "--step-tokens", "2", "--repeats", "1")


def run(folder: Path, *options: str) -> dict[str, object]:
    out = folder / "train.json"
    done = CliRunner().invoke(app, ["bench", "train", *SMALL, "--json", str(out), *options], catch_exceptions=False)
    assert done.exit_code == 0
    assert "largest difference between the ways" in done.stdout
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("options", [(), ("--vision", "each", "--lora"), ("--vision", "given", "--trees", "2")])
def test_a_run_writes_its_figures(tmp_path: Path, options: tuple[str, ...]):
    result = run(tmp_path, *options)
    assert set(result) == KEYS
    trees = 2 if "2" in options else 1
    # Prompt 8 + 1 + 4 + 1 + 32 = 46, reference path 3 x 2, branches 4 each of 6, 4 and 2: every path is 52 long.
    assert result["tokens"] == {"pairs": trees * 25 * 52, "flat": trees * 13 * 52, "tree": trees * (46 + 6 + 48)}
    assert result["lower_bound_tokens"] == result["tokens"]["tree"]
    assert result["padded_tokens"] == result["tokens"]
    assert result["max_abs_logp_difference"] < 1e-5
    assert max(result["loss"].values()) - min(result["loss"].values()) < 1e-5
    norms = result["gradient_norm"].values()
    assert max(norms) - min(norms) < 1e-4 * max(norms)
    assert result["setting"]["threads"] == torch.get_num_threads()


def test_the_trainer_of_trl_runs_beside_the_others(tmp_path: Path):
    pytest.importorskip("trl")
    result = run(tmp_path, "--trl")
    # 12 contrasts of two rows, through a policy and a reference model; no row for the reference path.
    assert result["tokens"]["trl"] == result["padded_tokens"]["trl"] == 2 * 24 * 52
    assert result["ratios"]["seconds"].keys() == {"pairs", "flat", "trl"}


def test_every_way_has_the_loss_of_the_trainer():
    setting = Setting(
        size="tiny",
        device="cpu",
        dtype="float64",
        image_tokens=4,
        steps=2,
        branches=3,
        step_tokens=3,
        branch_tokens=5,
        trees=1,
        repeats=1,
        rows=4,
    )
    model, (tree,) = build_model(setting), random_trees(setting)
    use_segments(model)
    ways = build_ways(setting, [tree])
    for way in ways.values():
        way.step(model)
    pairs = [Pair(a, b, tree.branches[a - 1].prefix, 0, 0) for a, b in tree.contrasts]
    expected = tree_loss(ways["flat"].logps[0], pairs, "srpo", 0.3).loss.item()
    assert [way.loss for way in ways.values()] == pytest.approx([expected] * 3, abs=1e-9)
    assert len(ways["pairs"].passes[0]) == 1 + 3  # 6 contrasts, two at a time
    assert len(ways["flat"].passes[0]) == 1 + 3  # no two prefixes of 3 branches fit into 4 rows


def test_the_largest_difference_is_found_between_any_two_ways():
    first = [{0: torch.tensor([-1.0, -2.0]), 1: torch.tensor([-3.0])}]
    second = [{0: torch.tensor([-1.0, -2.5]), 1: torch.tensor([-3.0])}]
    third = [{0: torch.tensor([-1.5, -1.5]), 1: torch.tensor([-3.125])}]
    assert largest_differences({"a": first, "b": second}) == (0.5, 0.25)
    assert largest_differences({"a": first, "b": second, "c": third}) == (1.0, 0.25)


def test_the_shape_of_the_tiny_model_and_what_is_counted_at_it():
    model = build_model(Setting(size="tiny", device="cpu", dtype="float32", image_tokens=4, steps=1, branches=2,
                                step_tokens=2, branch_tokens=None, trees=1, repeats=1))  # fmt: skip
    # A layer: q 32 x 32 + 32, k and v 32 x 16 + 16, o 32 x 32, three matrices 32 x 64, two norms; one norm at the end.
    assert shape_of(model, 4).body == 2 * (1056 + 2 * 528 + 1024 + 3 * 2048 + 64) + 32
    counter = TokenCounter(model)
    model(input_ids=torch.zeros(3, 5, dtype=torch.long))
    model(input_ids=torch.zeros(3, 1, dtype=torch.long))
    assert (counter.take(), counter.take()) == ((15, 3), (0, 0))
