"""Tree rows against one plain call of the model per path, and mistakes that must be visible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from oracle import plain

import srpo.train.attention as attention_module
import srpo.train.scorer as scorer_module
from srpo.models.chat import render_messages
from srpo.models.encode import banned_token_ids, encode_prompt, end_token_ids
from srpo.train.batch import TreeCollator, TreeDataset, TreeExample
from srpo.train.loss import tree_loss
from srpo.train.pack import Row, Span
from srpo.train.scorer import PathLogps, TreeScorer
from srpo.train.segments import use_segments
from srpo.train.vision import VisionFeatures

LAYOUTS = ["dense", "segments", "flat", "features", "segments and features"]


def collate(model: Any, processor: Any, data: TreeDataset, **settings: Any) -> list[TreeExample]:
    words = processor.tokenizer
    collator = TreeCollator(
        processor, end_token_ids(model, words), frozenset(banned_token_ids(model, words)), **settings
    )
    return collator([data[i] for i in range(len(data))])["examples"]


def score(layout: str, model: Any, processor: Any, data: TreeDataset) -> list[PathLogps]:
    if "segments" in layout:
        use_segments(model)
    vision = VisionFeatures(2**20) if "features" in layout else None
    return TreeScorer(vision)(model, collate(model, processor, data, step_impl="flat" if layout == "flat" else "tree"))


def total_loss(logps: list[PathLogps], examples: list[TreeExample]) -> torch.Tensor:
    return sum(tree_loss(p, e.pairs).loss for p, e in zip(logps, examples, strict=True)) / len(examples)


def difference(first: list[PathLogps], second: list[PathLogps]) -> float:
    assert [sorted(a) for a in first] == [sorted(b) for b in second]
    return max((a[j] - b[j]).abs().max().item() for a, b in zip(first, second, strict=True) for j in a)


@pytest.fixture
def data(double: tuple[Any, Any], tmp_path: Path) -> TreeDataset:
    return tiny.dataset(tmp_path, double[1].tokenizer, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_log_probabilities_loss_and_gradients_equal_plain_calls(double, data, layout):
    model, processor = double
    examples = collate(model, processor, data)
    results = []
    for make in (lambda: plain(model, processor, data), lambda: score(layout, model, processor, data)):
        model.zero_grad()
        logps = make()
        loss = total_loss(logps, examples)
        loss.backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        results.append((logps, loss.item(), gradients))
    (logps, loss, gradients), (our_logps, our_loss, our_gradients) = results
    assert difference(logps, our_logps) < 1e-9
    assert our_loss == pytest.approx(loss, abs=1e-9)
    # Image features of a frozen vision tower carry no gradient; everything else has one.
    language = [name for name in gradients if "features" not in layout or name in our_gradients]
    assert any("q_proj" in name for name in language)
    assert set(language) == set(our_gradients)
    assert "features" in layout or any("vis" in name for name in language)
    for name in language:
        scale = gradients[name].abs().max().clamp(min=1e-6)
        assert ((our_gradients[name] - gradients[name]).abs().max() / scale).item() < 1e-6, name


@pytest.mark.parametrize("layout", ["dense", "segments", "segments and features"])
def test_single_precision_agrees_to_1e_5(layout, idefics3, tmp_path):
    model, processor = idefics3
    data = tiny.dataset(tmp_path, processor.tokenizer, 2)
    assert difference(plain(model, processor, data), score(layout, model, processor, data)) < 1e-5


class TestMistakesAreVisible:
    """Each control breaks one rule; the equality above must then fail by far more than its tolerance."""

    def broken(self, double, data, monkeypatch, name, replacement) -> float:
        model, processor = double
        right = plain(model, processor, data)
        module = attention_module if name == "row_mask" else scorer_module
        monkeypatch.setattr(module, name, replacement(getattr(module, name)))
        return difference(right, score("dense", model, processor, data))

    def test_branches_that_see_each_other(self, double, data, monkeypatch):
        def leaky(original):
            return lambda rows, device: torch.ones_like(original(rows, device)).tril()

        assert self.broken(double, data, monkeypatch, "row_mask", leaky) > 1e-2

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

        assert self.broken(double, data, monkeypatch, "row_positions", not_restarted) > 1e-3

    def test_a_fork_that_is_off_by_one(self, double, data, monkeypatch):
        def early(original):
            def mask(rows: list[Row], device):
                moved = []
                for row in rows:
                    spans = tuple(Span(s.start, s.end, s.fork - 1) for s in row.spans)
                    moved.append(Row(row.ids, row.prompt, row.trunk, spans, row.scored))
                return original(moved, device)

            return mask

        assert self.broken(double, data, monkeypatch, "row_mask", early) > 1e-3

    def test_one_axis_of_positions_for_a_model_with_three(self, double, data, monkeypatch):
        model, _ = double
        if model.config.model_type != "qwen2_5_vl":
            pytest.skip("this model has one axis")

        def one_axis(original):
            def positions(rows, prompts, device):
                plain_counts = [torch.arange(p.shape[1])[None].expand(3, -1) for p in prompts]
                return original(rows, plain_counts, device)

            return positions

        assert self.broken(double, data, monkeypatch, "row_positions", one_axis) > 1e-3

    def test_another_picture(self, double, data, tmp_path):
        model, processor = double
        right = plain(model, processor, data)
        (tmp_path / "0.png").write_bytes((tmp_path / "1.png").read_bytes())
        changed = score("dense", model, processor, data)
        assert difference(right[1:], changed[1:]) < 1e-9
        assert difference(right[:1], changed[:1]) > 1e-2


def test_the_head_runs_in_chunks_with_the_same_result(double, data, monkeypatch):
    model, processor = double
    examples = collate(model, processor, data)
    original = scorer_module.token_logps
    results = []
    for chunk in (2**26, 1000):
        monkeypatch.setattr(scorer_module, "token_logps", lambda *a, c=chunk: original(*a, chunk=c))
        model.zero_grad()
        logps = TreeScorer(None)(model, examples)
        total_loss(logps, examples).backward()
        results.append((logps, model.lm_head.weight.grad.clone()))
    assert difference(results[0][0], results[1][0]) < 1e-12
    torch.testing.assert_close(results[0][1], results[1][1])


def test_a_model_that_scales_its_logits_is_scored_from_full_logits(double, data):
    model, processor = double
    right = score("dense", model, processor, data)
    model.config.get_text_config().logits_scaling = 1.0
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    assert difference(right, score("dense", model, processor, data)) < 1e-12
    assert calls


def test_adapters_take_part(double, data):
    from peft import LoraConfig, get_peft_model

    model, processor = double
    base = score("dense", model, processor, data)
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    ours = score("dense", adapted, processor, data)
    assert difference(base, ours) > 1e-3
    assert difference(plain(adapted, processor, data), ours) < 1e-9


def test_eager_attention_gets_an_additive_mask(double, data):
    model, processor = double
    right = score("dense", model, processor, data)
    model.set_attn_implementation("eager")
    # Eager attention takes its softmax in float32.
    assert difference(right, score("dense", model, processor, data)) < 1e-4


def test_attention_by_segments_leaves_generation_as_it_was(double, data):
    model, processor = double
    item = data[0]
    prompt = encode_prompt(processor, render_messages(item.sample, item.folder, item.instruction))
    inputs = prompt.model_inputs(prompt.ids, model.device)
    before = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    use_segments(model)
    assert torch.equal(before, model.generate(**inputs, max_new_tokens=5, do_sample=False))
