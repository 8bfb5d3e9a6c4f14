"""Models whose weights are spread over processes (FSDP)."""

from __future__ import annotations

from typing import Any

from torch import nn

from srpo.train.logprobs import unwrap
from srpo.train.vision import language_model, vision_parameters


def keep_vision_whole(model: Any, accelerator: Any) -> None:
    """Leave what comes before the language model out of FSDP's sharding; every process holds it.

    Features of a picture are computed by the process that needs them, when it needs them first.  For a sharded tower
    all processes would have to do so at the same time.
    """
    modules = _vision_modules(model)
    for module in modules:
        module.to(accelerator.device)
    plugin = accelerator.state.fsdp_plugin
    plugin.ignored_modules = modules
    if plugin.transformer_cls_names_to_wrap is None:
        plugin.transformer_cls_names_to_wrap = _layers_of_language(model)


def _vision_modules(model: nn.Module) -> list[nn.Module]:
    """The modules that own a parameter of the vision tower or the connector."""
    vision = {id(parameter) for parameter in vision_parameters(model)}
    return [module for module in model.modules() if any(id(p) in vision for p in module.parameters(recurse=False))]


def _layers_of_language(model: Any) -> list[str]:
    """Class names of the layers that are sharded one by one."""
    _, decoder = language_model(model)
    there = {type(module).__name__ for module in decoder.modules()}
    return sorted(there & set(unwrap(model)._no_split_modules))
