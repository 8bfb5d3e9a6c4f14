"""Shared-prefix decoding against plain `generate`, sampling against exact probabilities, and how loading fails."""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from tiny_models import idefics3_parts, save, save_image

from srpo.errors import ConfigError, ModelError
from srpo.explore import Exploration, explore
from srpo.models import load_model
from srpo.models.base import Limits, Message, Request
from srpo.models.encode import encode_prompt, encode_segment
from srpo.models.hf import HFModel
from srpo.models.sampling import sample_tokens
from srpo.steps import SEGMENT_NAMES, join
from srpo.types import Completion, Image, Provenance, Sample, Sampling, Tree
from tiny_families import build

SEGMENTS = (
    "Step 1 - Visual context: a red ball.\n",
    "Step 2 - Textual request: play with the dog.\n",
    "Final answer: keep the knife away.",
)
NEW_TOKENS = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pictures of different shapes, so that multimodal rotary positions differ between prompts."""
    folder = tmp_path_factory.mktemp("pictures")
    return [
        save_image(folder / "red.png", (200, 30, 30), (48, 32)),
        save_image(folder / "blue.png", (20, 30, 200), (64, 24)),
        save_image(folder / "green.png", (20, 200, 20), (24, 64)),
    ]


@pytest.fixture(scope="module")
def idefics3() -> HFModel:
    return HFModel(*idefics3_parts(), name="tiny-idefics3")


@pytest.fixture(scope="module")
def qwen() -> HFModel:
    return HFModel(*build("qwen2_5_vl"), name="tiny-qwen")


@pytest.fixture(params=["idefics3", "qwen"])
def tiny(request: pytest.FixtureRequest) -> HFModel:
    model: HFModel = request.getfixturevalue(request.param)
    return model


def ask(picture: Path, prefix: int = 0, seed: int = 0, text: str = "Play?", **sampling: Any) -> Request:
    options = {"max_new_tokens": NEW_TOKENS, **sampling}
    messages = (Message(role="user", text=text, images=(picture,)),)
    name = f"{picture.stem}:{prefix}:{seed}"
    return Request(id=name, messages=messages, prefix=SEGMENTS[:prefix], sampling=Sampling(**options), seed=seed)


def every_prefix(pictures: Sequence[Path]) -> list[Request]:
    texts = ["Play? " + "Please. " * i for i in range(len(pictures))]
    return [ask(p, prefix, text=text) for p, text in zip(pictures, texts, strict=True) for prefix in range(4)]


def plain_generate(tiny: HFModel, request: Request) -> tuple[int, ...]:
    """Greedy ids from transformers' own loop, the whole prompt in one row."""
    prompt = encode_prompt(tiny.processor, request.messages)
    ids = prompt.ids + tuple(i for text in request.prefix for i in encode_segment(tiny.tokenizer, text))
    output = tiny.model.generate(
        **prompt.model_inputs(ids, tiny.model.device),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=request.sampling.max_new_tokens,
        do_sample=False,
        suppress_tokens=list(tiny.banned_ids),
        eos_token_id=list(tiny.end_ids),
    )
    return tuple(output[0, len(ids) :].tolist())


def with_end_ids(tiny: HFModel, end_ids: list[int], limits: Limits | None = None) -> HFModel:
    """The same weights with more tokens that end a turn."""
    model = copy.copy(tiny.model)
    model.generation_config = copy.deepcopy(tiny.model.generation_config)
    model.generation_config.eos_token_id = end_ids
    return HFModel(model, tiny.processor, tiny.name, limits)


# --- equality with plain decoding ---------------------------------------------------------------------------------


def test_shared_prefixes_give_the_same_greedy_text_as_plain_generate(tiny: HFModel, pictures: list[Path]) -> None:
    requests = every_prefix(pictures)
    completions = tiny.generate(requests)
    assert [c.token_ids for c in completions] == [plain_generate(tiny, r) for r in requests]
    assert [c.id for c in completions] == [r.id for r in requests]
    # Otherwise the weights would be too flat to tell a wrong prefix from a right one.
    assert len({c.token_ids for c in completions}) > len(requests) // 2


@pytest.mark.parametrize(
    "limits", [Limits(max_rows=3), Limits(max_cache_tokens=200), Limits(max_prefill_tokens=1), Limits(max_rows=1)]
)
def test_rows_that_end_leave_and_waiting_rows_join_without_a_change(
    tiny: HFModel, pictures: list[Path], limits: Limits
) -> None:
    lengths = [(picture, prefix) for picture in pictures for prefix in range(4)]
    requests = [ask(picture, prefix, max_new_tokens=5 + i) for i, (picture, prefix) in enumerate(lengths)]
    ids = [plain_generate(tiny, r) for r in requests]
    ending = with_end_ids(tiny, [row[2 + i % 3] for i, row in enumerate(ids)][::2], limits)
    expected = [plain_generate(ending, r) for r in requests]
    assert len({len(row) for row in expected}) > 3
    assert [c.token_ids for c in ending.generate(requests)] == expected


@pytest.mark.parametrize(("room", "reads"), [(10_000, [True, False, False]), (1, [True] * 3)], ids=["kept", "full"])
def test_prompts_that_are_kept_are_not_read_again(
    tiny: HFModel, pictures: list[Path], room: int, reads: list[bool]
) -> None:
    keeping = HFModel(tiny.model, tiny.processor, tiny.name, Limits(max_kept_tokens=room))
    requests = every_prefix(pictures)
    expected = [plain_generate(tiny, request) for request in requests]
    lengths: list[int] = []
    hook = tiny.model.register_forward_pre_hook(
        lambda _, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    # The longest prefix of each prompt first, then shorter ones, then the longest again.
    for chosen, prompt_is_read in zip(([3, 7, 11], [1, 4, 10, 2], [3, 7, 11]), reads, strict=True):
        lengths.clear()
        answers = keeping.generate([requests[i] for i in chosen])
        assert [answer.token_ids for answer in answers] == [expected[i] for i in chosen]
        assert any(length > 1 for length in lengths) == prompt_is_read
    hook.remove()


def test_more_new_tokens_than_a_cache_block_holds(tiny: HFModel, pictures: list[Path]) -> None:
    request = ask(pictures[0], 1, max_new_tokens=150)
    (completion,) = tiny.generate([request])
    assert completion.token_ids == plain_generate(tiny, request)


def test_prefixes_off_one_trunk_form_trunks_of_their_own(tiny: HFModel, pictures: list[Path]) -> None:
    base = ask(pictures[0])
    prefixes = [(), ("Yes.",), ("Yes.", " Why?"), ("No.",), ("No.", " Why?"), ("Yes.", " How?")]
    requests = [base.model_copy(update={"id": str(i), "prefix": p}) for i, p in enumerate(prefixes)]
    assert [c.token_ids for c in tiny.generate(requests)] == [plain_generate(tiny, r) for r in requests]


def test_several_pictures_or_none_in_a_prompt(tiny: HFModel, pictures: list[Path]) -> None:
    prompts = [(), (pictures[0], pictures[1]), (pictures[2],)]
    requests = [
        Request(
            id=str(i),
            messages=(Message(role="user", text="Play?", images=images),),
            prefix=SEGMENTS[:1],
            sampling=Sampling(max_new_tokens=NEW_TOKENS),
        )
        for i, images in enumerate(prompts)
    ]
    assert [c.token_ids for c in tiny.generate(requests)] == [plain_generate(tiny, r) for r in requests]


def test_sliding_windows_are_shared_by_a_cache_that_keeps_all_tokens(
    pictures: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    windowed = HFModel(*idefics3_parts(sliding_window=8), name="windowed", limits=Limits(max_rows=2))
    requests = [*every_prefix(pictures[:2]), *(ask(pictures[0], 1, seed=i) for i in range(3))]
    assert [c.token_ids for c in windowed.generate(requests)] == [plain_generate(windowed, r) for r in requests]
    assert not [r for r in caplog.records if r.name == "srpo.models.hf"]


# --- sampling -----------------------------------------------------------------------------------------------------


def test_a_request_draws_the_same_text_in_any_company(tiny: HFModel, pictures: list[Path]) -> None:
    requests = [
        ask(picture, prefix, seed=100 * i + 10 * prefix + branch, temperature=1.0, top_p=(1.0, 0.9)[branch])
        for i, picture in enumerate(pictures)
        for prefix in range(3)
        for branch in range(2)
    ]
    together = tiny.generate(requests)
    assert tiny.generate(requests[::-1])[::-1] == together
    assert [tiny.generate([r])[0] for r in requests[:4]] == together[:4]
    again = [r.model_copy(update={"seed": r.seed + 1}) for r in requests]
    assert all(a.token_ids != b.token_ids for a, b in zip(tiny.generate(again), together, strict=True))


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.5, 0.7)])
def test_first_tokens_follow_the_exact_distribution(
    idefics3: HFModel, pictures: list[Path], temperature: float, top_p: float
) -> None:
    draws = 3000
    sampling = {"temperature": temperature, "top_p": top_p, "max_new_tokens": 1}
    completions = idefics3.generate([ask(pictures[0], 1, seed=i, **sampling) for i in range(draws)])
    counts = Counter(c.token_ids[0] for c in completions if c.token_ids)
    expected = exact_distribution(idefics3, ask(pictures[0], 1), temperature, top_p)
    assert set(counts) <= set(expected)
    common = [i for i, p in expected.items() if p * draws >= 8]
    rare = draws * sum(p for i, p in expected.items() if i not in common)
    observed = [*(counts[i] for i in common), draws - sum(counts[i] for i in common)]
    wanted = [*(draws * expected[i] for i in common), rare]
    keep = slice(None) if rare > 1e-6 else slice(-1)
    assert len(common) > 3
    assert chisquare(observed[keep], wanted[keep]).pvalue > 0.01


def exact_distribution(tiny: HFModel, request: Request, temperature: float, top_p: float) -> dict[int, float]:
    """Probabilities of the first token, by the plainest means."""
    prompt = encode_prompt(tiny.processor, request.messages)
    ids = prompt.ids + encode_segment(tiny.tokenizer, request.prefix[0])
    with torch.no_grad():
        logits = tiny.model(**prompt.model_inputs(ids, tiny.model.device)).logits[0, -1].double()
    logits[list(tiny.banned_ids)] = -torch.inf
    ranked = sorted(enumerate((logits / temperature).softmax(0).tolist()), key=lambda pair: -pair[1])
    kept: dict[int, float] = {}
    for token, p in ranked:
        if sum(kept.values()) < top_p:
            kept[token] = p
    return {token: p / sum(kept.values()) for token, p in kept.items() if p > 0}


@pytest.mark.parametrize(
    ("uniform", "temperature", "top_p", "token"),
    [
        (0.0, 1.0, 1.0, 1),  # token 0 is impossible, so the lowest number skips it
        (0.49, 1.0, 1.0, 1),
        (0.51, 1.0, 1.0, 2),
        (0.81, 1.0, 1.0, 3),
        (1 - 2**-53, 1.0, 1.0, 3),
        (1 - 2**-53, 1.0, 0.8, 2),  # 0.5 + 0.3 reach the nucleus exactly
        (1 - 2**-53, 1.0, 0.81, 3),
        (1 - 2**-53, 1.0, 0.1, 1),  # the most likely token always stays
        (0.99, 0.0, 1.0, 1),
    ],
)
def test_inverse_distribution_function(uniform: float, temperature: float, top_p: float, token: int) -> None:
    logits = torch.tensor([[0.0, 0.5, 0.3, 0.2, 0.0]], dtype=torch.float64).log()
    settings = [torch.tensor([value], dtype=torch.float64) for value in (temperature, top_p - 1e-12, uniform)]
    assert sample_tokens(logits, *settings).tolist() == [token]


def test_placeholders_and_unknown_ids_are_never_sampled(tiny: HFModel, pictures: list[Path]) -> None:
    names = set(tiny.tokenizer.convert_ids_to_tokens(list(tiny.banned_ids)))
    assert names & {"<image>", "<|image_pad|>"}
    model = copy.deepcopy(tiny.model)
    model.resize_token_embeddings(len(tiny.tokenizer) + 5)
    favoured = torch.zeros_like(model.lm_head.weight)
    model.lm_head.weight = torch.nn.Parameter(favoured)
    wide = HFModel(model, tiny.processor, "wide")
    # All logits are equal now: every allowed id is as likely as any other.
    completions = wide.generate([ask(pictures[0], seed=i, temperature=1.0, max_new_tokens=40) for i in range(60)])
    seen = {i for c in completions for i in c.token_ids or ()}
    assert len(seen) > 0.9 * (len(tiny.tokenizer) - len(tiny.banned_ids))
    assert seen.isdisjoint(tiny.banned_ids)
    assert max(seen) < len(tiny.tokenizer)


# --- completions --------------------------------------------------------------------------------------------------


def test_the_limit_ends_a_text_with_finish_length(tiny: HFModel, pictures: list[Path]) -> None:
    (completion,) = tiny.generate([ask(pictures[0], 2, max_new_tokens=3)])
    prompt = encode_prompt(tiny.processor, ask(pictures[0]).messages)
    assert (completion.finish, completion.completion_tokens) == ("length", 3)
    assert completion.token_ids is not None
    assert completion.text == tiny.tokenizer.decode(completion.token_ids)
    assert completion.prompt_tokens == len(prompt.ids) + sum(map(len, tiny.encode_trunk(SEGMENTS[:2]))) - 1


def test_the_end_token_is_kept_in_the_ids_and_left_out_of_the_text(tiny: HFModel, pictures: list[Path]) -> None:
    (whole,) = tiny.generate([ask(pictures[0])])
    assert whole.token_ids is not None
    end = whole.token_ids[3]
    (cut,) = with_end_ids(tiny, [end]).generate([ask(pictures[0])])
    expected = whole.token_ids[: whole.token_ids.index(end) + 1]
    assert (cut.finish, cut.token_ids) == ("stop", expected)
    assert cut.text == tiny.tokenizer.decode(expected[:-1])


def test_an_end_token_at_the_limit_is_a_stop(tiny: HFModel, pictures: list[Path]) -> None:
    (whole,) = tiny.generate([ask(pictures[0], max_new_tokens=1)])
    assert whole.token_ids is not None
    (cut,) = with_end_ids(tiny, list(whole.token_ids)).generate([ask(pictures[0], max_new_tokens=1)])
    assert (cut.finish, cut.text) == ("stop", "")


def test_an_unreadable_picture_fails_its_own_requests_only(
    idefics3: HFModel, pictures: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:60])
    requests = [ask(broken), ask(pictures[0]), ask(tmp_path / "gone.png"), ask(broken, 1)]
    counted: list[int] = []
    completions = idefics3.generate(requests, counted.append)
    assert [c.finish for c in completions] == ["error", "length", "error", "error"]
    assert [c.id for c in completions] == [r.id for r in requests]
    assert "broken.png" in (completions[0].error or "")
    assert "gone.png" in (completions[2].error or "")
    assert sum(counted) == len(requests)


def test_no_requests_give_no_completions(idefics3: HFModel) -> None:
    assert idefics3.generate([]) == []


def test_a_model_in_training_is_decoded_without_dropout_and_stays_in_training(pictures: list[Path]) -> None:
    tiny = HFModel(*idefics3_parts(), name="tiny")
    expected = tiny.generate([ask(pictures[0])])
    tiny.model.train()
    for layer in tiny.model.model.text_model.layers:
        layer.self_attn.attention_dropout = 0.9
    assert tiny.generate([ask(pictures[0])]) == expected
    assert tiny.model.training


def test_trunk_ids_are_encoded_apart_and_end_with_the_end_token(tiny: HFModel) -> None:
    ids = tiny.encode_trunk(SEGMENTS)
    assert [tiny.tokenizer.decode(part) for part in ids[:-1]] == list(SEGMENTS[:-1])
    assert tiny.tokenizer.decode(ids[-1][:-1]) == SEGMENTS[-1]
    assert ids[-1][-1] == tiny.tokenizer.eos_token_id


def test_exploration_stores_the_ids_it_sampled(tiny: HFModel, pictures: list[Path]) -> None:
    sample = Sample(
        id="s",
        split="train",
        group="g",
        cell="benign_both",
        image=Image(path=pictures[0].name, sha256="0", width=48, height=32),
        question="Play?",
        category=None,
        hypothesis=None,
        reference=join(list(SEGMENT_NAMES)),
        unsafe_reply=None,
        licence="MIT",
        provenance=Provenance(producer="procedural", source="test"),
    )
    settings = Exploration(branches_per_prefix=2, sampling=Sampling(temperature=1.0, max_new_tokens=6))
    trees: list[Tree] = []
    assert explore([sample], tiny, pictures[0].parent, settings, trees.append) == []
    (tree,) = trees
    assert (tree.model, tree.tokenizer) == (tiny.name, tiny.tokenizer_sha256)
    assert len(tree.branches) == 2 * len(SEGMENT_NAMES)
    for node in (tree.nodes[i] for i in tree.branches):
        assert node.token_ids is not None
        assert (len(node.token_ids) == 6) or node.finish == "stop"
        assert tiny.tokenizer.decode(node.token_ids).removesuffix(tiny.tokenizer.eos_token) == node.text
    assert tiny.tokenizer.decode([t for i in tree.trunk for t in tree.nodes[i].token_ids or ()][:-1]) == tree.walk(6)
    assert len({tree.nodes[i].token_ids for i in tree.branches}) == len(tree.branches)


# --- loading ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("saved") / "model", idefics3_parts())


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved model that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def test_a_saved_model_is_loaded_and_writes_the_same_text(saved: Path, idefics3: HFModel, pictures: list[Path]) -> None:
    loaded = load_model(f"hf:{saved}", device="cpu")
    requests = every_prefix(pictures)
    assert loaded.name == "model"
    assert texts_of(loaded.generate(requests)) == texts_of(idefics3.generate(requests))


def test_bfloat16_weights_take_the_pictures_in_their_own_type(saved: Path, pictures: list[Path]) -> None:
    loaded = load_model(f"hf:{saved}", device="cpu", dtype="bfloat16")
    assert [c.finish for c in loaded.generate([ask(pictures[0], 1)])] == ["length"]


def test_an_adapter_changes_the_text_as_it_does_in_plain_generate(
    saved: Path, tmp_path: Path, pictures: list[Path]
) -> None:
    peft = pytest.importorskip("peft")
    model, _ = idefics3_parts()
    config = peft.LoraConfig(r=4, target_modules=r".*text_model.*(q_proj|v_proj)", init_lora_weights=False)
    torch.manual_seed(1)
    peft.get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    loaded = load_model(f"hf:{saved}", device="cpu", adapter=str(tmp_path / "adapter"))
    assert isinstance(loaded, HFModel)
    requests = every_prefix(pictures)
    completions = loaded.generate(requests)
    assert [c.token_ids for c in completions] == [plain_generate(loaded, r) for r in requests]
    assert texts_of(completions) != texts_of(HFModel(*idefics3_parts(), name="base").generate(requests))
    assert loaded.name == "model+adapter"


def texts_of(completions: Sequence[Completion]) -> list[str]:
    return [c.text for c in completions]


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no weights"),
        (["processor_config.json"], "no processor in this folder"),
        (["tokenizer.json", "tokenizer_config.json"], "no usable processor"),
        (["chat_template.jinja"], "no chat template"),
    ],
)
def test_a_missing_part_is_named(folder: Path, removed: list[str], message: str) -> None:
    for name in removed:
        (folder / name).unlink()
    assert message in load_error(folder)


def test_a_truncated_weight_file_is_an_error(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "cannot be loaded" in load_error(folder)


def test_missing_weights_are_an_error_not_random_numbers(folder: Path) -> None:
    edit_config(folder, lambda config: config["text_config"].update(num_hidden_layers=3))
    assert "incomplete, 9 weights are missing" in load_error(folder)


def test_a_model_that_writes_nothing_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert "vit is neither a vision-language model nor a language model" in load_error(folder)


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "nonsense"}))
    assert "nonsense" in load_error(folder)


@pytest.mark.parametrize(
    ("option", "message"),
    [({"adapter": "nowhere"}, "no adapter_config.json"), ({"device": "nonsense"}, "cannot be moved to 'nonsense'")],
)
def test_a_wrong_option_is_one_line(folder: Path, option: dict[str, str], message: str) -> None:
    assert message in load_error(folder, **option)


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "nowhere", "tests/nowhere", "runs/3/model"])
def test_a_missing_folder_is_not_looked_up_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(ModelError, match="no such model folder"):
        load_model(f"hf:{name}")


@pytest.mark.parametrize("spec", ["model", "hf:", "vllm:model"])
def test_a_spec_without_a_known_kind_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="expected hf:FOLDER_OR_NAME or openai:NAME"):
        load_model(spec)


def load_error(folder: Path, **options: str) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(f"hf:{folder}", **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit_config(folder: Path, change: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
