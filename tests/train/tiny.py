"""Tiny random vision-language models with real processors, and random trees for them.

The weights are drawn with a large spread, so that a wrong mask or position changes log-probabilities visibly.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PILImage
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from srpo import steps
from srpo.train import TreeDataset
from srpo.types import Contrast, Image, Node, Provenance, Sample, Sampling, Tree

SPECIAL = [
    "<pad>",
    "<|im_start|>",
    "<|im_end|>",
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
    "<end_of_utterance>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte and the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<pad>")


def spread(model: torch.nn.Module, std: float, seed: int = 0) -> None:
    """Draw every matrix anew; vectors (norms, biases) vary around their value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(parameter + 0.1 * noise if parameter.ndim == 1 else noise * std)


def idefics3(std: float | None = 0.25, **text: Any) -> tuple[Any, Any]:
    """A model of the Idefics3 architecture and its processor; 24 x 24 pixels, four image tokens."""
    return _tile_model(Idefics3Config, Idefics3ForConditionalGeneration, std, text)


def smolvlm(std: float | None = 0.25) -> tuple[Any, Any]:
    """The same sizes in SmolVLM's own classes (its processor wants a video decoder, so Idefics3's stands in)."""
    return _tile_model(SmolVLMConfig, SmolVLMForConditionalGeneration, std, {})


def _tile_model(config_class: Any, model_class: Any, std: float | None, text: dict[str, Any]) -> tuple[Any, Any]:
    words = tokenizer()
    ids = {w: words.convert_tokens_to_ids(w) for w in SPECIAL}
    config = config_class(
        image_token_id=ids["<image>"],
        scale_factor=2,
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 24,
            "patch_size": 6,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "pad_token_id": ids["<pad>"],
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            **text,
        },
        pad_token_id=ids["<pad>"],
    )
    torch.manual_seed(0)
    model = model_class(config)
    pictures = Idefics3ImageProcessorPil(
        do_image_splitting=False, size={"longest_edge": 24}, max_image_size={"longest_edge": 24}
    )
    processor = Idefics3Processor(pictures, words, image_seq_len=4, chat_template=CHAT.replace("IMAGE", "<image>"))
    return _finish(model, std, ids["<|im_end|>"]), processor


def qwen2_5_vl(std: float | None = 0.25) -> tuple[Any, Any]:
    """A model of the Qwen2.5-VL architecture (three position axes) and its processor."""
    words = tokenizer()
    ids = {w: words.convert_tokens_to_ids(w) for w in SPECIAL}
    config = Qwen2_5_VLConfig(
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 16,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100.0, "mrope_section": [1, 1, 2]},
            "pad_token_id": ids["<pad>"],
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
        },
    )
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(config)
    pictures = Qwen2VLImageProcessorPil(
        patch_size=4, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 64, "longest_edge": 1024}
    )
    template = CHAT.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = ImagesOnlyQwenProcessor(pictures, words, chat_template=template)
    return _finish(model, std, ids["<|im_end|>"]), processor


class ImagesOnlyQwenProcessor(Qwen2_5_VLProcessor):
    """The Qwen2.5-VL processor without its video part, which needs torchvision."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def _finish(model: Any, std: float | None, end: int) -> Any:
    if std is not None:
        spread(model, std)
    model.generation_config.eos_token_id = end
    return model.eval()


def sample(folder: Path, number: int, question: str = "What now?", size: tuple[int, int] = (24, 16)) -> Sample:
    """A sample with its own random picture, written to `folder`."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = folder / f"{number}.png"
    PILImage.fromarray(pixels).save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Sample(
        id=f"s{number}",
        split="train",
        group=f"g{number}",
        cell="hazard",
        image=Image(path=path.name, sha256=digest, width=size[0], height=size[1]),
        question=question,
        category="violence",
        hypothesis="something breaks",
        reference=steps.join(["see", "ask", "both", "risk", "harm", "plan", "no"]),
        unsafe_reply="yes",
        licence="CC0-1.0",
        provenance=Provenance(producer="procedural", source="tiny"),
    )


def tree(of: Sample, words: Any, branches: int = 6, seed: int = 0, low: int = 2, high: int = 9) -> Tree:
    """The reference path of a sample and random branches; branch i forks before segment i (modulo their number)."""
    rng = random.Random(seed)
    end = words.convert_tokens_to_ids("<|im_end|>")
    nodes: list[Node] = []
    texts = [step.text for step in of.reference.steps]
    for i, text in enumerate(texts):
        ids = tuple(words(text, add_special_tokens=False)["input_ids"])
        closing = (end,) if i == len(texts) - 1 else ()
        nodes.append(Node(parent=i - 1 if i else None, text=text, sampled=False, token_ids=ids + closing))
    for b in range(branches):
        prefix = (b // 2) % len(texts)
        ids = (*(rng.randrange(256) for _ in range(rng.randint(low, high))), end)
        nodes.append(
            Node(
                parent=prefix - 1 if prefix else None,
                text=words.decode(ids, skip_special_tokens=True),
                sampled=True,
                token_ids=ids,
                finish="stop",
            )
        )
    return Tree(id=f"t-{of.id}", sample=of.id, nodes=tuple(nodes), model="tiny", sampling=Sampling(), seed=seed)


def contrasts(of: Tree) -> list[Contrast]:
    """Neighbouring branches of one prefix: the first is favourable."""
    pairs = zip(of.branches[::2], of.branches[1::2], strict=False)
    return [
        Contrast(tree=of.id, prefix=of.prefix(a), chosen=a, rejected=b)
        for a, b in pairs
        if of.prefix(a) == of.prefix(b)
    ]


def dataset(folder: Path, words: Any, trees: int, branches: int = 6, seed: int = 0, **lengths: int) -> TreeDataset:
    """`trees` trees over as many samples; every third picture is square, and questions differ in length."""
    samples = [
        sample(folder, n, "What now? " + "Hm. " * (n % 3), (24, 24) if n % 3 == 2 else (24, 16)) for n in range(trees)
    ]
    grown = [tree(s, words, branches, seed + n, **lengths) for n, s in enumerate(samples)]
    return TreeDataset(samples, grown, [c for t in grown for c in contrasts(t)], folder, instruction="Think.")
