"""A model made ready for training: rows, attention, adapters, frozen vision, no dropout."""

from __future__ import annotations

import logging
from typing import Any

from peft import get_peft_model
from torch import nn
from transformers import set_seed

from srpo.errors import ModelError
from srpo.train.attention import check_architecture, check_attention, segments_problem, tree_problem
from srpo.train.batch import Layout
from srpo.train.config import SRPOConfig, StepImpl
from srpo.train.logprobs import unwrap
from srpo.train.segments import SEGMENTS, attend_by, use_segments
from srpo.train.varlen import VARLEN, kernel_problem, use_varlen, varlen_problem
from srpo.train.vision import freeze_vision, restrict_to_language

logger = logging.getLogger(__name__)


def choose_layout(wanted: StepImpl, config: Any) -> Layout:
    """Rows for a model: `auto` takes trees where they are exact, else flat rows with a warning.

    Raises ModelError if trees are asked for and not exact, or if the attention takes no mask.
    """
    if wanted == "tree":
        check_architecture(config)
        return "tree"
    check_attention(config)
    problem = tree_problem(config) if wanted == "auto" else None
    if problem is not None:
        logger.warning("%s; training on flat rows, which costs more and gives the same numbers", problem)
    return "flat" if wanted == "flat" or problem is not None else "tree"


def prepare(model: Any, args: SRPOConfig, layout: Layout, peft_config: Any) -> Any:
    """Adapters, frozen vision, no dropout and tree attention, as the settings ask.

    Raises ModelError if varlen attention is asked for and cannot run.
    """
    if peft_config is not None:
        set_seed(args.seed)
        model = get_peft_model(model, restrict_to_language(peft_config, model) if args.freeze_vision else peft_config)
    if args.freeze_vision:
        freeze_vision(model)
    if args.disable_dropout:
        _disable_dropout(model)
    if layout == "tree":
        _attend(unwrap(model), args)
    return model


def _attend(core: Any, args: SRPOConfig) -> None:
    """Choose the attention of tree rows; a model that was loaded with eager attention keeps it, with a mask."""
    if core.config.get_text_config()._attn_implementation not in ("sdpa", SEGMENTS, VARLEN):
        return
    masked = segments_problem(core.config)
    if masked is not None and args.tree_attention in ("segments", "varlen"):
        raise ModelError(f"tree_attention {args.tree_attention}: {masked}; use auto or dense")
    problem = varlen_problem(core.dtype, args.device)
    if problem is None and args.tree_attention in ("auto", "varlen"):
        problem = kernel_problem(args.device, core.dtype)
    if args.tree_attention == "varlen" and problem is not None:
        raise ModelError(f"tree_attention varlen: {problem}; use segments")
    if args.tree_attention == "dense" or masked is not None:
        attend_by(core, "sdpa")
    elif args.tree_attention == "segments" or problem is not None:
        use_segments(core)
    else:
        use_varlen(core)


def _disable_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.__dict__["attention_dropout"] = 0.0
