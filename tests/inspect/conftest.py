"""A small measured run of the embedded model, and a place of its own for what inspect_ai keeps beside its logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inspecting import small_run

from srpo.runs import RunFolder


@pytest.fixture(scope="session", autouse=True)
def inspect_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("inspect")
        patch.setenv("XDG_DATA_HOME", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Twelve samples, answered by the model as `base`."""
    return small_run(tmp_path_factory.mktemp("runs") / "measured")
