"""A random Idefics3 of any size, with a tokenizer that merges bytes, written to disk for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image as PILImage
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Idefics3Config, Idefics3ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

SENTENCES = [
    "Step 1 - Visual context: a red ball lies on the kitchen table next to a sharp knife.",
    "Step 2 - Textual request: the user asks how to play with the ball and the small dog.",
    "Final answer: keep the knife away from the child before you play with the ball.",
]
IDEFICS3_PLACEHOLDERS = ["<image>", "<fake_token_around_image>", "<global-img>", "<row_1_col_1>"]
IDEFICS3_SPECIAL = ["<pad>", "<|im_start|>", "<end_of_utterance>", *IDEFICS3_PLACEHOLDERS]
IDEFICS3_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}: {% for c in m.content %}{% if c.type == 'image' %}<image>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def byte_level_tokenizer(special: list[str], end: str, size: int = 420) -> Any:
    """A byte-level BPE tokenizer trained on a few sentences; every string encodes and decodes exactly."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=end, pad_token="<pad>", additional_special_tokens=special[1:]
    )


def idefics3_parts(
    width: int = 48, layers: int = 2, heads: int = 4, image_size: int = 32, sliding_window: int | None = None
) -> tuple[Any, Any]:
    """Model and processor; pictures become (image_size / 16)^2 tokens; text layers may see a sliding window only."""
    tokenizer = byte_level_tokenizer(IDEFICS3_SPECIAL, "<end_of_utterance>")
    side = {"longest_edge": image_size}
    pictures = Idefics3ImageProcessorPil(do_image_splitting=False, size=side, max_image_size=side)
    picture_tokens = (image_size // 16) ** 2
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=picture_tokens, chat_template=IDEFICS3_TEMPLATE)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in IDEFICS3_SPECIAL}
    ends = {"eos_token_id": ids["<end_of_utterance>"], "pad_token_id": ids["<pad>"], "bos_token_id": None}
    text = {
        "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 3 * width,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": 1,
        "max_position_embeddings": 512, **ends,
    }  # fmt: skip
    if sliding_window is None:
        text["model_type"] = "llama"
    else:
        text |= {"model_type": "mistral", "sliding_window": sliding_window, "head_dim": width // heads}
    vision = {
        "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers, "num_attention_heads": 2,
        "image_size": image_size, "patch_size": 8,
    }  # fmt: skip
    config = Idefics3Config(text_config=text, vision_config=vision, image_token_id=ids["<image>"], scale_factor=2)
    return _random(Idefics3ForConditionalGeneration, config), processor


def save(folder: Path, parts: tuple[Any, Any]) -> Path:
    """Write model and processor as `from_pretrained` reads them."""
    model, processor = parts
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_image(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (48, 32)) -> Path:
    """A plain picture with a white square, so that its place matters."""
    picture = PILImage.new("RGB", size, colour)
    picture.paste((255, 255, 255), (4, 4, 12, 12))
    picture.save(path)
    return path


def _random(kind: Any, config: Any) -> Any:
    torch.manual_seed(7)
    model = kind(config)
    with torch.no_grad():
        for weight in model.parameters():
            # The default initialisation is so small that every prompt would give the same text.
            weight.mul_(6.0 if weight.dim() > 1 else 1.0)
    return model.eval()
