"""One pool for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import Asker

from srpo.world.pool import write_pool


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_pool(folder, 60, 3)
    return folder


@pytest.fixture(scope="session")
def asker(pool: Path) -> Asker:
    """Everybody is right."""
    return Asker(pool)
