"""Ada's tab at a small dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_rows import write_dataset
from reviewing import Desk, served

from srpo.review.store import Store


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Store, str]]:
    write_dataset(tmp_path)
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def desk(chromium: Any, opened: tuple[Store, str]) -> Iterator[Desk]:
    """Ada at a wide window; nothing may be logged or asked of another host."""
    found = Desk(chromium, opened[1])
    found.enter()
    yield found
    found.close()
    assert found.events == []
    assert len(found.requests) == 1


@pytest.fixture
def store(opened: tuple[Store, str]) -> Store:
    return opened[0]
