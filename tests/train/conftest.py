"""The tiny models, in double precision where numbers are compared; tests get their own copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tiny_families import BUILDERS, build

# Threads cost more than they save on tensors this small.
torch.set_num_threads(1)


@pytest.fixture(params=list(BUILDERS))
def double(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Each family in float64, with its processor."""
    model, processor = build(request.param)
    return model.double(), processor


@pytest.fixture
def idefics3() -> tuple[Any, Any]:
    return build("idefics3")
