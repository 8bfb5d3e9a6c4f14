"""Tiny models, built once per test run; tests copy what they change."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import tiny
import torch

# Threads cost more than they save on tensors this small.
torch.set_num_threads(1)

BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "idefics3": tiny.idefics3,
    "smolvlm": tiny.smolvlm,
    "qwen2_5_vl": tiny.qwen2_5_vl,
}
_built: dict[str, tuple[Any, Any]] = {}


def build(name: str) -> tuple[Any, Any]:
    """A copy of the model and its processor."""
    if name not in _built:
        _built[name] = BUILDERS[name]()
    model, processor = _built[name]
    return deepcopy(model), processor


@pytest.fixture(params=list(BUILDERS))
def double(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Each architecture in float64, with its processor."""
    model, processor = build(request.param)
    return model.double(), processor


@pytest.fixture
def idefics3() -> tuple[Any, Any]:
    return build("idefics3")
