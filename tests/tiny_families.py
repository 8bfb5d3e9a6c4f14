"""A tiny random model and its processor for every model family, in the real classes of transformers.

`BUILDERS` maps a model type to a function that returns both.  Tests of training and of sampling, and
`scripts/make_tiny_models.py`, build with it.  Pictures are 24 pixels wide at most; one token is one byte or one special
token, so that any text survives a round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, ProcessorMixin
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from srpo.models.processor import images_only

WORDS = ("<pad>", "<|im_start|>", "<|im_end|>")
TILES = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>", "<row_1_col_2>")
QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
INTERN = ("<img>", "</img>", "<IMG_CONTEXT>", "<video>")
GEMMA = ("<start_of_image>", "<end_of_image>", "<image_soft_token>")
SPECIAL = [*WORDS, *TILES, *QWEN, *INTERN, *GEMMA]

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

SIDE = 24
"""Edge of a square picture or tile in pixels: 4 x 4 patches of 6 pixels."""

VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 6,
}


def tokenizer(**named: str) -> PreTrainedTokenizerFast:
    """One token per byte and the special tokens; `named` become attributes, as some processors ask for."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(SPECIAL)
    extra = {"extra_special_tokens": named} if named else {}
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<pad>", **extra)


def spread(model: torch.nn.Module, std: float, seed: int = 0) -> None:
    """Draw every matrix anew; vectors (norms, biases) vary around their value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(parameter + 0.1 * noise if parameter.ndim == 1 else noise * std)


def _text(words: Any, **more: Any) -> dict[str, Any]:
    """A language model with grouped key heads."""
    return {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": words.convert_tokens_to_ids("<pad>"),
        "bos_token_id": None,
        "eos_token_id": words.eos_token_id,
        **more,
    }


WORDS_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def language_model(name: str, std: float | None = 0.25, **more: Any) -> tuple[Any, Any]:
    """A language model that takes text alone, such as `Llama`, and its tokenizer, which is all that it needs."""
    words = tokenizer()
    words.chat_template = WORDS_CHAT
    config = getattr(transformers, f"{name}Config")(**_text(words, **more))
    return _build(f"{name}ForCausalLM", config, std), words


def _build(name: str, config: Any, std: float | None) -> Any:
    """A model of class `name`; `std` is the spread of its weights, none leaves them as transformers draws them."""
    torch.manual_seed(0)
    model = getattr(transformers, name)(config)
    if std is not None:
        spread(model, std)
    model.generation_config.eos_token_id = config.get_text_config().eos_token_id
    model.generation_config.pad_token_id = config.get_text_config().pad_token_id
    return model.eval()


def _chat(image: str) -> str:
    return CHAT.replace("IMAGE", image)


def idefics3(std: float | None = 0.25, **text: Any) -> tuple[Any, Any]:
    """Four image tokens per picture."""
    edge = {"longest_edge": SIDE}
    pictures = Idefics3ImageProcessorPil(do_image_splitting=False, size=edge, max_image_size=edge)
    return _tiles("Idefics3", pictures, std, text)


def smolvlm(std: float | None = 0.25) -> tuple[Any, Any]:
    """Pictures are split: a wide one becomes two tiles and a small whole, with four tokens each."""
    pictures = SmolVLMImageProcessorPil(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE})
    return _tiles("SmolVLM", pictures, std, {})


def _tiles(name: str, pictures: Any, std: float | None, text: dict[str, Any]) -> tuple[Any, Any]:
    words = tokenizer()
    config = getattr(transformers, f"{name}Config")(
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        vision_config=VISION,
        text_config=_text(words, model_type="llama") | text,
        pad_token_id=words.pad_token_id,
    )
    kind = transformers.Idefics3Processor if name == "Idefics3" else SmolVLMProcessor
    processor = kind(pictures, words, image_seq_len=4, chat_template=_chat("<image>"))
    return _build(f"{name}ForConditionalGeneration", config, std), processor


class SmolVLMProcessor(images_only(transformers.SmolVLMProcessor)):
    """SmolVLM's processor, which asks for torchvision and num2words even if there is no video to describe."""

    apply_chat_template = ProcessorMixin.apply_chat_template

    def __init__(
        self, image_processor: Any, tokenizer: Any, image_seq_len: int = 169, chat_template: str | None = None
    ) -> None:
        self.fake_image_token, self.image_token = "<fake_token_around_image>", "<image>"
        self.global_image_token, self.video_token = "<global-img>", "<video>"
        self.image_token_id = tokenizer.convert_tokens_to_ids("<image>")
        self.image_seq_len = image_seq_len
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def qwen2_vl(std: float | None = 0.25, **text: Any) -> tuple[Any, Any]:
    """Three position axes; a picture has as many tokens as its size asks for."""
    vision = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    return _qwen("Qwen2VL", vision, {"rope_parameters": _mrope(), **text}, std)


def qwen2_5_vl(std: float | None = 0.25) -> tuple[Any, Any]:
    """As Qwen2-VL, with window attention in the vision tower."""
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "window_size": 16,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    }
    return _qwen("Qwen2_5_VL", vision, {"num_hidden_layers": 3, "rope_parameters": _mrope()}, std)


def qwen3_vl(std: float | None = 0.25) -> tuple[Any, Any]:
    """Interleaved position axes, and vision features that join at two layers of the language model."""
    vision = {
        "depth": 3,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    text = {"num_hidden_layers": 3, "head_dim": 8, "rope_parameters": _mrope(mrope_interleaved=True)}
    return _qwen("Qwen3VL", vision, text, std)


def qwen3_5(std: float | None = 0.25) -> tuple[Any, Any]:
    """A hybrid: linear attention in the first and last layer.  Its state cannot be forked, so it has no tree rows."""
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
    }
    text = {
        "head_dim": 16,
        "num_hidden_layers": 3,
        "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "rope_parameters": _mrope(mrope_interleaved=True, partial_rotary_factor=0.5),
    }
    return _qwen("Qwen3_5", vision, text, std, processor="Qwen3VLProcessor")


def _mrope(**more: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 100.0, "mrope_section": [1, 1, 2], **more}


def _qwen(
    name: str, vision: dict[str, Any], text: dict[str, Any], std: float | None, processor: str | None = None
) -> tuple[Any, Any]:
    words = tokenizer()
    ids = {w: words.convert_tokens_to_ids(w) for w in QWEN}
    config = getattr(transformers, f"{name}Config")(
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        vision_config={"patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2, **vision},
        text_config=_text(words, **text),
    )
    pictures = Qwen2VLImageProcessorPil(
        patch_size=4, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 64, "longest_edge": 1024}
    )
    kind = images_only(getattr(transformers, processor or f"{name}Processor"))
    template = _chat("<|vision_start|><|image_pad|><|vision_end|>")
    return _build(f"{name}ForConditionalGeneration", config, std), kind(pictures, words, chat_template=template)


def llava(std: float | None = 0.25) -> tuple[Any, Any]:
    """LLaVA 1.5: a CLIP tower, its class token left out; 16 image tokens."""
    words = tokenizer()
    config = transformers.LlavaConfig(
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_config={"model_type": "clip_vision_model", "projection_dim": 16, **VISION},
        text_config=_text(words, model_type="llama"),
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = transformers.LlavaProcessor(
        pictures,
        words,
        patch_size=6,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_chat("<image>"),
    )
    return _build("LlavaForConditionalGeneration", config, std), processor


def llava_onevision(std: float | None = 0.25) -> tuple[Any, Any]:
    """One or two tiles and a small whole by the shape of the picture, with a learned line end after every line."""
    words = tokenizer()
    pinpoints = [[SIDE, SIDE], [SIDE, 2 * SIDE]]
    config = transformers.LlavaOnevisionConfig(
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints,
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        text_config=_text(words, model_type="qwen2"),
    )
    size = {"height": SIDE, "width": SIDE}
    pictures = LlavaOnevisionImageProcessorPil(size=size, image_grid_pinpoints=pinpoints)
    processor = images_only(transformers.LlavaOnevisionProcessor)(
        pictures, words, num_image_tokens=16, vision_feature_select_strategy="full", chat_template=_chat("<image>")
    )
    return _build("LlavaOnevisionForConditionalGeneration", config, std), processor


def internvl(std: float | None = 0.25) -> tuple[Any, Any]:
    """Tiles of four tokens; a wide picture has two and a small whole."""
    words = tokenizer(
        start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>", video_token="<video>"
    )
    config = transformers.InternVLConfig(
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        vision_config=VISION,
        text_config=_text(words, model_type="qwen2"),
    )
    pictures = GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, min_patches=1, max_patches=2)
    processor = images_only(transformers.InternVLProcessor)(
        pictures, words, image_seq_length=4, chat_template=_chat("<IMG_CONTEXT>")
    )
    return _build("InternVLForConditionalGeneration", config, std), processor


def gemma3(std: float | None = 0.25, **text: Any) -> tuple[Any, Any]:
    """Image tokens see each other both ways; two of three layers see a window that is shorter than the prompt."""
    words = tokenizer(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>")
    config = transformers.Gemma3Config(
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
        mm_tokens_per_image=4,
        tie_word_embeddings=False,  # tied, a model this small repeats its last token
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        text_config=_text(
            words,
            head_dim=8,
            num_hidden_layers=3,
            query_pre_attn_scalar=8,
            tie_word_embeddings=False,
            sliding_window=16,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        )
        | text,
    )
    pictures = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = transformers.Gemma3Processor(
        pictures, words, image_seq_length=4, chat_template=_chat("<start_of_image>")
    )
    return _build("Gemma3ForConditionalGeneration", config, std), processor


_built: dict[str, tuple[Any, Any]] = {}


def build(name: str) -> tuple[Any, Any]:
    """A copy of a family's model, and its processor; each is made once per process."""
    if name not in _built:
        _built[name] = (BUILDERS | HYBRIDS)[name]()
    model, processor = _built[name]
    return deepcopy(model), processor


BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "qwen3_vl": qwen3_vl,
    "llava": llava,
    "llava_onevision": llava_onevision,
    "internvl": internvl,
    "gemma3": gemma3,
}
"""Families with exact trees."""

HYBRIDS: dict[str, Callable[[], tuple[Any, Any]]] = {"qwen3_5": qwen3_5}
"""Families that train on flat rows."""
