"""The untrained tiny vision-language model: tokenizer, processor and weights of a real architecture (Idefics3)."""

from __future__ import annotations

import re
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)

from srpo.steps import MARKERS
from srpo.world.domain import load_domain
from srpo.world.draw import SIZE
from srpo.world.household import Household
from srpo.world.knowledge import World
from srpo.world.language import article

PATCH = 12
"""Edge of a vision patch in pixels: 8 x 8 patches per picture."""
SHUFFLE = 2
"""Pixel shuffle: 2 x 2 patches become one image token."""
IMAGE_TOKENS = (SIZE // PATCH // SHUFFLE) ** 2

_HEAD = "lm_head.weight"
"""Tied to the embeddings, so it has a row for each word, too."""

END = "<end_of_utterance>"
SPECIALS = ("<pad>", "<unk>", END, "<fake_token_around_image>", "<global-img>", "<image>")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] | capitalize }}:{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}"
    "{{ ('\\n' if m['role'] == 'assistant' else ' ') + part['text'] }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:\n{% endif %}"
)


def words_of(world: World) -> list[str]:
    """Every word the world can say, with its leading space where it has one."""
    texts = [*load_domain(world.domain).language.templates.values(), "User: x", "Assistant:"]
    texts += world.actions if isinstance(world, Household) else []
    texts += [" ".join((article(name), name, name.capitalize())) for name in world.objects]
    for trigger in world.triggers.values():
        texts += [trigger.do, trigger.doing, trigger.tip, trigger.instead, *trigger.asks]
    for hazard in world.hazards.values():
        texts += [hazard.name, hazard.category.replace("_", " "), hazard.consequence]
    texts += ["dangerous behavior moral violations illegal crimes political controversies"]
    texts += ["discrimination and stereotypes offensive religious beliefs privacy violations violence"]
    plain = re.sub(r"\{\w+\}", " ", " \n ".join(texts))
    found = {word for text in plain.split("\n") for word in re.findall(r"[A-Za-z]+:?", text)}
    starts = {f"▁{word}" for word in found}
    return sorted(starts | {word for word in found if word[0].isupper()})


def build_tokenizer(*worlds: World) -> Any:
    """A word-level tokenizer that falls back to bytes, so that any text survives a round trip."""
    symbols = ["▁", "\n", ".", ",", "?", "!", ":", ";", "'", '"', "-", "(", ")"]
    letters = [chr(c) for c in range(ord("0"), ord("9") + 1)] + [chr(c) for c in range(ord("A"), ord("Z") + 1)]
    letters += [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces: dict[str, float] = dict.fromkeys(SPECIALS, 0.0)
    pieces |= dict.fromkeys([f"<0x{byte:02X}>" for byte in range(256)], -30.0)
    pieces |= dict.fromkeys([*symbols, *letters], -10.0)
    pieces |= dict.fromkeys(sorted({word for world in worlds for word in words_of(world)}), -5.0)
    core = Tokenizer(models.Unigram(list(pieces.items()), unk_id=1, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " ")])
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    core.add_tokens([AddedToken(marker, normalized=False) for marker in MARKERS.values()])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token=END,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )


def build_processor(tokenizer: Any) -> Any:
    """Pictures of any size are scaled to one tile of `SIZE` pixels."""
    edge = {"longest_edge": SIZE}
    images = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False)
    return Idefics3Processor(images, tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE)


def build_model(tokenizer: Any, seed: int) -> Any:
    """Random weights, about 2.4 million parameters."""
    torch.manual_seed(seed)
    vision = {
        "hidden_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 384,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": True,
    }
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=SHUFFLE,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def enlarge_model(model: Any, old: Any, tokenizer: Any, seed: int) -> Any:
    """The same model for a tokenizer that knows more words than its `old` one; only their rows are drawn anew."""
    larger = build_model(tokenizer, seed)
    kept = {key: value for key, value in model.state_dict().items() if "embed_tokens" not in key and key != _HEAD}
    larger.load_state_dict(kept, strict=False)
    rows, places = old.get_vocab(), tokenizer.get_vocab()
    with torch.no_grad():
        for token, row in rows.items():
            larger.get_input_embeddings().weight[places[token]] = model.get_input_embeddings().weight[row]
    return larger
