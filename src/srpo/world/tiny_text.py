"""The untrained tiny language model, for scenes that are told: the words of the world, and weights of Llama's kind."""

from __future__ import annotations

from typing import Any, Final

import torch
from transformers import LlamaConfig, LlamaForCausalLM

CHAT_TEMPLATE: Final = (
    "{% for m in messages %}{{ m['role'] | capitalize }}:"
    "{{ ('\\n' if m['role'] == 'assistant' else ' ') + m['content'] }}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""The turns of the picture model (`srpo.world.tiny`), without pictures."""


def build_text_tokenizer(tokenizer: Any) -> Any:
    """The world's tokenizer with a chat template of its own: such a model has no processor."""
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_text_model(tokenizer: Any, seed: int) -> Any:
    """Random weights, about a million parameters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)
