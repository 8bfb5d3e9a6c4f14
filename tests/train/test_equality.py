"""Tree rows against one plain call of the model per path, and mistakes that must be visible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from compare import collate, difference, gradients, score, worst
from oracle import plain

import srpo.train.attention as attention_module
import srpo.train.scorer as scorer_module
from srpo.models.chat import render_messages
from srpo.models.encode import encode_prompt
from srpo.train.batch import TreeDataset
from srpo.train.pack import Row
from srpo.train.scorer import TreeScorer
from srpo.train.segments import use_segments

LAYOUTS = ["dense", "segments", "flat", "segments and features"]


@pytest.fixture
def data(double: tuple[Any, Any], tmp_path: Path) -> TreeDataset:
    return tiny.dataset(tmp_path, double[1].tokenizer, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_log_probabilities_loss_and_gradients_equal_plain_calls(double, data, layout):
    model, processor = double
    examples = collate(model, processor, data)
    logps = plain(model, processor, data)
    loss, expected = gradients(model, logps, examples)
    our_logps = score(layout, model, processor, data)
    our_loss, ours = gradients(model, our_logps, examples)
    assert difference(logps, our_logps) < 1e-9
    assert our_loss == pytest.approx(loss, abs=1e-9)
    # Image features of a frozen vision tower carry no gradient; everything else has one.
    frozen = set(expected) - set(ours)
    assert set(ours) <= set(expected)
    assert any("q_proj" in name for name in ours)
    assert bool(frozen) == ("features" in layout)
    assert not any("layers" in name and "vis" not in name for name in frozen)
    assert worst(expected, ours) < 1e-6


@pytest.mark.parametrize("double", ["idefics3", "qwen2_5_vl", "gemma3"], indirect=True)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_paths_that_lie_on_others_altogether_are_scored_like_them(double, tmp_path, layout):
    """A branch that says what the reference says, one that its sibling says too, and one that stops earlier."""
    model, processor = double
    data = tiny.dataset(tmp_path, processor.tokenizer, 1)
    tree = data.trees[0]
    rest = tuple(i for step in tree.trunk[tree.prefix(tree.branches[0]) :] for i in tree.nodes[step].token_ids)
    same = tree.nodes[tree.branches[2]].token_ids
    ids = {tree.branches[0]: rest, tree.branches[3]: same, tree.branches[4]: tree.nodes[tree.branches[5]].token_ids[:1]}
    nodes = tuple(n.model_copy(update={"token_ids": ids.get(i, n.token_ids)}) for i, n in enumerate(tree.nodes))
    data.trees = (tree.model_copy(update={"nodes": nodes}),)
    assert difference(plain(model, processor, data), score(layout, model, processor, data)) < 1e-9


def test_what_paths_share_is_scored_once(idefics3, tmp_path, monkeypatch):
    model, processor = idefics3
    data = tiny.dataset(tmp_path, processor.tokenizer, 2)
    original, asked = scorer_module.token_logps, []
    monkeypatch.setattr(scorer_module, "token_logps", lambda *a: asked.append(len(a[2])) or original(*a))
    score("segments", model, processor, data)
    rows = [row for example in collate(model, processor, data) for row in example.rows]
    assert asked == [sum(len(row.ids) - row.prompt for row in rows)]
    assert asked[0] < sum(len(path.targets) for row in rows for path in row.scored)


@pytest.mark.parametrize("layout", ["dense", "segments", "segments and features"])
def test_single_precision_agrees_to_1e_5(layout, idefics3, tmp_path):
    model, processor = idefics3
    data = tiny.dataset(tmp_path, processor.tokenizer, 2)
    assert difference(plain(model, processor, data), score(layout, model, processor, data)) < 1e-5


def broken(double, data, monkeypatch, name, replacement, layout="dense") -> float:
    """How far off the log-probabilities are with function `name` replaced by `replacement(original)`."""
    model, processor = double
    right = plain(model, processor, data)
    module = scorer_module if name in ("row_positions", "encoded_images") else attention_module
    monkeypatch.setattr(module, name, replacement(getattr(module, name)))
    return difference(right, score(layout, model, processor, data))


def moved(change):
    """A mask over rows in which `change` was made to what spans see before them."""

    def replacement(original):
        def mask(rows: list[Row], device):
            spans = [tuple(replace(span, before=change(span.before)) for span in row.spans) for row in rows]
            return original([replace(row, spans=own) for row, own in zip(rows, spans, strict=True)], device)

        return mask

    return replacement


@pytest.mark.parametrize("double", ["idefics3", "qwen3_vl", "gemma3"], indirect=True)
class TestMistakesAreVisible:
    """Each control breaks one rule; the equality above must then fail by far more than its tolerance."""

    def test_branches_that_see_each_other(self, double, data, monkeypatch):
        def leaky(original):
            return lambda rows, device: torch.ones_like(original(rows, device)).tril()

        assert broken(double, data, monkeypatch, "row_mask", leaky) > 1e-2

    def test_positions_that_run_on_through_the_row(self, double, data, monkeypatch):
        def not_restarted(original):
            def positions(rows, prompts, device):
                result = original(rows, prompts, device)
                for b, row in enumerate(rows):
                    last = result[..., b, row.trunk - 1 : row.trunk]
                    run_on = torch.arange(1, len(row.ids) - row.trunk + 1)
                    result[..., b, row.trunk : len(row.ids)] = last + run_on
                return result

            return positions

        assert broken(double, data, monkeypatch, "row_positions", not_restarted) > 1e-3

    def test_a_fork_that_is_off_by_one(self, double, data, monkeypatch):
        early = moved(lambda before: ((0, before[0][1] - 1), *before[1:]))
        assert broken(double, data, monkeypatch, "row_mask", early) > 1e-3

    def test_branches_that_do_not_see_what_they_share(self, double, data, monkeypatch):
        forgetful = moved(lambda before: before[:1])
        assert broken(double, data, monkeypatch, "row_mask", forgetful) > 1e-3

    def test_another_picture(self, double, data, tmp_path):
        model, processor = double
        right = plain(model, processor, data)
        (tmp_path / "0.png").write_bytes((tmp_path / "2.png").read_bytes())
        changed = score("dense", model, processor, data)
        assert difference(right[1:], changed[1:]) < 1e-9
        assert difference(right[:1], changed[:1]) > 1e-2


@pytest.mark.parametrize("double", ["qwen3_vl"], indirect=True)
class TestMistakesWithQwen3VL:
    def test_one_axis_of_positions_instead_of_three(self, double, data, monkeypatch):
        def one_axis(original):
            def positions(rows, prompts, device):
                plain_counts = [torch.arange(p.shape[1])[None].expand(3, -1) for p in prompts]
                return original(rows, plain_counts, device)

            return positions

        assert broken(double, data, monkeypatch, "row_positions", one_axis) > 1e-3

    def test_kept_features_without_those_of_deeper_layers(self, double, data, monkeypatch):
        def shallow(original):
            return lambda model, features: original(model, [(f[0], *(0 * deep for deep in f[1:])) for f in features])

        assert broken(double, data, monkeypatch, "encoded_images", shallow, "segments and features") > 1e-3


@pytest.mark.parametrize("double", ["gemma3"], indirect=True)
class TestMistakesWithGemma3:
    def test_image_tokens_that_see_one_way_only(self, double, data, monkeypatch):
        def one_way(original):
            return lambda config, rows, device: torch.zeros_like(original(config, rows, device))

        assert broken(double, data, monkeypatch, "_same_picture", one_way) > 1e-3

    def test_a_window_that_counts_along_the_row(self, double, data, monkeypatch):
        def by_column(original):
            def masks(config, rows, device):
                seen = original(config, rows, device)["full_attention"]
                near = torch.ones_like(seen).triu(1 - config.text_config.sliding_window)
                return {"full_attention": seen, "sliding_attention": seen & near}

            return masks

        assert broken(double, data, monkeypatch, "layer_masks", by_column) > 1e-2

    def test_no_window(self, double, data, monkeypatch):
        monkeypatch.setattr(double[0].config.text_config, "sliding_window", 2048)
        seen = score("dense", *double, data)
        monkeypatch.undo()
        assert difference(plain(*double, data), seen) > 1e-2


@pytest.mark.parametrize("double", ["idefics3", "gemma3"], indirect=True)
def test_the_head_runs_in_chunks_with_the_same_result(double, data, monkeypatch):
    model, processor = double
    examples = collate(model, processor, data)
    original = scorer_module.token_logps
    results = []
    for chunk in (2**26, 1000):
        monkeypatch.setattr(scorer_module, "token_logps", lambda *a, c=chunk: original(*a, chunk=c))
        logps = TreeScorer(None)(model, examples)
        results.append((logps, gradients(model, logps, examples)[1]["lm_head.weight"]))
    assert difference(results[0][0], results[1][0]) < 1e-12
    torch.testing.assert_close(results[0][1], results[1][1])


@pytest.mark.parametrize("double", ["idefics3", "qwen2_5_vl"], indirect=True)
def test_a_model_that_scales_its_logits_is_scored_from_full_logits(double, data):
    model, processor = double
    right = score("dense", model, processor, data)
    model.config.get_text_config().logits_scaling = 1.0
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    assert difference(right, score("dense", model, processor, data)) < 1e-12
    assert calls


@pytest.mark.parametrize("double", ["idefics3", "qwen2_5_vl", "gemma3"], indirect=True)
def test_eager_attention_gets_an_additive_mask(double, data):
    model, processor = double
    right = score("dense", model, processor, data)
    model.set_attn_implementation("eager")
    # Eager attention takes its softmax in float32.
    assert difference(right, score("dense", model, processor, data)) < 1e-4


@pytest.mark.parametrize("double", ["idefics3", "qwen2_5_vl", "gemma3"], indirect=True)
def test_attention_by_segments_leaves_generation_as_it_was(double, data):
    model, processor = double
    item = data[0]
    prompt = encode_prompt(processor, render_messages(item.sample, item.folder, item.instruction))
    inputs = prompt.model_inputs(prompt.ids, model.device)
    before = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    use_segments(model)
    assert torch.equal(before, model.generate(**inputs, max_new_tokens=5, do_sample=False))
