"""Models with random weights, in the shapes of Qwen2.5-VL.

`qwen2.5-vl-3b` and `qwen2.5-vl-7b` have the numbers of the published `config.json` files of Qwen/Qwen2.5-VL-3B-Instruct
and Qwen/Qwen2.5-VL-7B-Instruct.  Speed does not depend on what the weights say.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from srpo.bench.counts import Shape, Tower, picture_flops
from srpo.bench.setting import Setting, Size
from srpo.train.vision import freeze_vision, language_model, vision_parameters

_Numbers = dict[str, Any]

_TEXT: Final[dict[Size, _Numbers]] = {
    "tiny": {"layers": 2, "hidden": 32, "inner": 64, "heads": 4, "shared": 2, "vocabulary": 512},
    "small": {"layers": 8, "hidden": 512, "inner": 1536, "heads": 8, "shared": 2, "vocabulary": 32_000},
    "qwen2.5-vl-3b": {"layers": 36, "hidden": 2048, "inner": 11_008, "heads": 16, "shared": 2, "vocabulary": 151_936},
    "qwen2.5-vl-7b": {"layers": 28, "hidden": 3584, "inner": 18_944, "heads": 28, "shared": 4, "vocabulary": 152_064},
}
"""Layers, hidden sizes, query heads, shared key-value heads and vocabulary of the language model."""

_QWEN_TOWER: Final[_Numbers] = {"layers": 32, "hidden": 1280, "inner": 3420, "heads": 16, "full": [7, 15, 23, 31]}
_TOWER: Final[dict[Size, _Numbers]] = {
    "tiny": {"layers": 2, "hidden": 16, "inner": 32, "heads": 2, "full": [1]},
    "small": {"layers": 4, "hidden": 256, "inner": 768, "heads": 4, "full": [1, 3]},
    "qwen2.5-vl-3b": _QWEN_TOWER,
    "qwen2.5-vl-7b": _QWEN_TOWER,
}

SPECIAL = ("<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
"""The last ids of a vocabulary, in this order; ordinary tokens lie below."""

_TIED: Final[frozenset[Size]] = frozenset({"qwen2.5-vl-3b"})


def special_ids(size: Size) -> dict[str, int]:
    """Ids of the special tokens."""
    first = _TEXT[size]["vocabulary"] - len(SPECIAL)
    return {word: first + i for i, word in enumerate(SPECIAL)}


def configuration(size: Size) -> Any:
    """The architecture of a size."""
    text, tower, ids = _TEXT[size], _TOWER[size], special_ids(size)
    axis = text["hidden"] // text["heads"] // 2
    # Rotary frequencies of a head, shared out over time, height and width as in the published models: 16, 24, 24.
    sections = [axis - 2 * (3 * axis // 8), 3 * axis // 8, 3 * axis // 8]
    return Qwen2_5_VLConfig(
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=size in _TIED,
        text_config={
            "vocab_size": text["vocabulary"],
            "hidden_size": text["hidden"],
            "intermediate_size": text["inner"],
            "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"],
            "num_key_value_heads": text["shared"],
            "max_position_embeddings": 128_000,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": sections},
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|im_end|>"],
        },
        vision_config={
            "depth": tower["layers"],
            "hidden_size": tower["hidden"],
            "intermediate_size": tower["inner"],
            "num_heads": tower["heads"],
            "out_hidden_size": text["hidden"],
            "fullatt_block_indexes": tower["full"],
        },
    )


def build_model(setting: Setting) -> Any:
    """The model on its device, vision frozen; with `lora`, with adapters on q_proj and v_proj."""
    torch.manual_seed(0)
    with torch.device(setting.device):
        model = Qwen2_5_VLForConditionalGeneration._from_config(
            configuration(setting.size), dtype=getattr(torch, setting.dtype), attn_implementation="sdpa"
        )
    model.generation_config.eos_token_id = model.config.get_text_config().eos_token_id
    freeze_vision(model)
    return _with_adapters(model) if setting.lora else model


def _with_adapters(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    from srpo.train.vision import restrict_to_language

    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])
    return get_peft_model(model, restrict_to_language(config, model))


def shape_of(model: Any, image_tokens: int) -> Shape:
    """The numbers of a model that the count of operations needs."""
    from srpo.train.logprobs import unwrap

    core = unwrap(model)
    text = core.config.get_text_config()
    _, decoder = language_model(core)
    embedding = core.get_input_embeddings().weight.numel()
    return Shape(
        body=sum(p.numel() for name, p in decoder.named_parameters() if "lora_" not in name) - embedding,
        layers=text.num_hidden_layers,
        attention=text.hidden_size,
        hidden=text.hidden_size,
        vocabulary=text.vocab_size,
        picture=_picture(core, image_tokens),
    )


def _picture(core: Any, image_tokens: int) -> int:
    vision, tower = core.config.vision_config, core.model.visual
    connector = sum(p.numel() for p in tower.merger.parameters())
    full, merge = len(vision.fullatt_block_indexes), vision.spatial_merge_size**2
    numbers = Tower(
        weights=sum(p.numel() for p in vision_parameters(core)) - connector,
        connector=connector,
        width=vision.hidden_size,
        full_layers=full,
        window_layers=vision.depth - full,
        window=(vision.window_size // vision.patch_size) ** 2,
    )
    return picture_flops(numbers, image_tokens * merge, image_tokens)
