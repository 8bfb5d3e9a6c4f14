"""A pool and a dataset of it that was built in one go; tests only read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from build_world import build, settings_for, world

from srpo.world.pool import write_pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pools") / "pool"
    write_pool(folder, 4, 3)
    return folder


@pytest.fixture(scope="session")
def whole(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("datasets") / "whole"
    with world(pool) as server:
        built = build(settings_for(pool, server.base_url), out)
    assert built.samples == 8 and built.waiting == 0 and built.reached is None
    return out
