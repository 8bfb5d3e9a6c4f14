"""Safer reasoning paths for vision-language models: SSUI data, SRPO training, RSBench evaluation."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srpo.models import load_model
    from srpo.train import SRPOConfig, SRPOTrainer, TreeDataset
    from srpo.types import Contrast, ReasoningPath, Sample, Tree, Verdict

_HOME = {
    "Contrast": "srpo.types",
    "ReasoningPath": "srpo.types",
    "SRPOConfig": "srpo.train",
    "SRPOTrainer": "srpo.train",
    "Sample": "srpo.types",
    "Tree": "srpo.types",
    "TreeDataset": "srpo.train",
    "Verdict": "srpo.types",
    "load_model": "srpo.models",
}

__version__ = version("srpo")
__all__ = [
    "Contrast",
    "ReasoningPath",
    "SRPOConfig",
    "SRPOTrainer",
    "Sample",
    "Tree",
    "TreeDataset",
    "Verdict",
    "load_model",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import srpo` stays light and free of torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'srpo' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
