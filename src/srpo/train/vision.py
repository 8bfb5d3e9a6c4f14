"""The language model inside a vision-language model, and the rest of it, which is frozen by default.

A language model that takes text alone has no rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from srpo.errors import ModelError
from srpo.models.encode import PER_TOKEN
from srpo.models.families import Features, family_of, reads_pictures
from srpo.train.logprobs import unwrap

_DEFAULT_ADAPTERS = ("q_proj", "v_proj")


def language_model(model: Any) -> tuple[str, nn.Module]:
    """Name and module of the language model inside `model`.  Raises ModelError if there is none apart."""
    core = unwrap(model)
    decoder = core.get_decoder()
    names = [name for name, module in core.named_modules() if module is decoder]
    whole = not names or not names[0] or decoder is core.base_model
    if whole and reads_pictures(core.config):
        raise ModelError(f"{type(core).__name__} has no language model apart from its vision tower")
    return next(iter(names), ""), decoder


def vision_parameters(model: Any) -> Iterator[nn.Parameter]:
    """Parameters of the vision tower and the connector: all that are neither in the language model nor in the head."""
    _, decoder = language_model(model)
    core = unwrap(model)
    head = core.get_output_embeddings()
    language = {id(p) for module in (decoder, head) if module is not None for p in module.parameters()}
    return (p for p in core.parameters() if id(p) not in language)


def freeze_vision(model: Any) -> None:
    """Stop gradients of the vision tower and the connector."""
    for parameter in vision_parameters(model):
        parameter.requires_grad_(False)


def vision_frozen(model: Any) -> bool:
    return not any(parameter.requires_grad for parameter in vision_parameters(model))


def keeps_features(model: Any) -> bool:
    """Whether image features may be computed once: nothing before the language model is trained, and it takes them."""
    return family_of(unwrap(model).config).read_features is not None and vision_frozen(model)


def restrict_to_language(peft_config: Any, model: Any) -> Any:
    """A copy of the adapter configuration whose targets lie in the language model.

    Vision towers name their layers as language models do, so a plain list of names would adapt both.  A regular
    expression is taken as it is.  Without targets, q_proj and v_proj are adapted (as RPO's scripts do).
    """
    prefix, decoder = language_model(model)
    config = deepcopy(peft_config)
    targets = config.target_modules or _DEFAULT_ADAPTERS
    if targets == "all-linear":
        targets = {name.split(".")[-1] for name, module in decoder.named_modules() if isinstance(module, nn.Linear)}
    if not isinstance(targets, str):
        names = "|".join(re.escape(name) for name in sorted(targets))
        config.target_modules = rf"{re.escape(prefix)}\.(?:.*\.)?(?:{names})"
    return config


class VisionFeatures:
    """Image features of a frozen vision tower and connector, computed once per picture while there is room."""

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._features: dict[str, Features] = {}

    def get(self, model: Any, image: str, extras: Mapping[str, torch.Tensor]) -> Features:
        """Features of one prompt's pictures, each [image tokens, hidden size]; `image` names the pixels.

        Raises ModelError if the model's family has no features that can be kept.
        """
        if image in self._features:
            return self._features[image]
        core = unwrap(model)
        read = family_of(core.config).read_features
        if read is None:
            raise ModelError(f"{core.config.model_type}: it is not known how this model takes image features")
        inputs = {key: tensor.to(core.device) for key, tensor in extras.items() if key not in PER_TOKEN}
        with torch.no_grad():
            features = tuple(f.detach() for f in read(core.get_image_features(**inputs, return_dict=True)))
        size = sum(f.nbytes for f in features)
        if size <= self._room:
            self._room -= size
            self._features[image] = features
        return features


def encoded_images(model: Any, features: Sequence[Features]) -> dict[str, Any]:
    """Model inputs that replace pixels by the features of each row, in order."""
    return {"mm_encoder_outputs": {"image": family_of(unwrap(model).config).join_features(features)}}


def stacked_images(extras: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The processor's tensors of several rows, joined along their first axis."""
    return {key: torch.cat([e[key] for e in extras]) for key in extras[0] if key not in PER_TOKEN}
