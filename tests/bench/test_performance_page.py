"""docs/performance.md and its chart against the measurements they are written from."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
performance: Any = importlib.import_module("performance")


def test_the_page_and_the_chart_are_up_to_date():
    results = performance.load()
    assert performance.PAGE.read_text(encoding="utf-8") == performance.page(results), (
        "run python scripts/performance.py"
    )
    assert performance.CHART.read_text(encoding="utf-8") == performance.chart(list(results.values()))


def test_the_chart_names_every_way_once_per_measurement():
    results = list(performance.load().values())
    tree = ElementTree.fromstring(performance.chart(results))
    words = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert results and words.count("tree") == len(results)
