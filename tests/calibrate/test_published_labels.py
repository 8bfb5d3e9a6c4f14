"""The figures of docs/judges.md, computed again from the real files where they are."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from label_files import BENCHMARKS, published

from srpo.calibrate import read_labels
from srpo.errors import DataError

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
judges: Any = importlib.import_module("judges")

AGAIN = "run python scripts/judges.py"


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(judges.OUT.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def computed() -> dict[str, Any]:
    for name in (judges.MSTS, *judges.XSTEST):
        published(name)
    found: dict[str, Any] = judges.study(BENCHMARKS, draws=0)
    return found


def test_the_page_shows_the_stored_figures(stored: dict[str, Any]) -> None:
    page = judges.PAGE.read_text(encoding="utf-8")
    assert judges.page_with(page, stored) == page, AGAIN


def test_people_agree_as_stated(stored: dict[str, Any], computed: dict[str, Any]) -> None:
    assert computed["sha256"] == stored["sha256"]
    assert computed["people"] == stored["people"], AGAIN
    values = {
        name: (row["kappa"]["value"], row["kappa, all labels"]["value"]) for name, row in stored["people"].items()
    }
    assert list(values.values()) == [(0.725, 0.7001), (0.9533, 0.9258), (0.9911, 0.9701)]


@pytest.mark.parametrize("judge", ["gpt4_label", "wording"])
def test_judges_agree_with_people_as_stated(stored: dict[str, Any], computed: dict[str, Any], judge: str) -> None:
    for name, rows in computed["judges"].items():
        expected = {key: value for key, value in stored["judges"][name][judge].items() if key != "coverage"}
        assert rows[judge] == expected, AGAIN


def test_the_published_judge_has_the_figures_we_know(computed: dict[str, Any]) -> None:
    llama, gpt4 = (computed["judges"][name]["gpt4_label"] for name in judges.XSTEST)
    assert list(llama["confusion"].values()) == [186, 0, 176, 88, 0]
    assert list(gpt4["confusion"].values()) == [192, 0, 230, 28, 0]
    assert (llama["kappa"]["value"], llama["kappa, all labels"]["value"]) == (0.6231, 0.6169)
    assert (gpt4["kappa"]["value"], gpt4["kappa, all labels"]["value"]) == (0.8751, 0.8729)
    assert llama["ppi"]["low"] < 274 / 450 < llama["ppi"]["high"] and llama["judge_rate"]["high"] < 274 / 450


def test_msts_has_the_rate_and_the_clusters_of_its_paper() -> None:
    file = read_labels(published(judges.MSTS))
    assert (len(file.rows), len(set(file.clusters)), sum(file.people)) == (4000, 200, 181)


@pytest.mark.parametrize(
    ("old", "new"), [("1_full_compliance", "1_full_complience"), ('"', ""), ("gpt4_label", "x_label")]
)
def test_a_damaged_copy_is_refused_by_name(tmp_path: Path, old: str, new: str) -> None:
    text = published(judges.XSTEST[0]).read_text(encoding="utf-8")
    path = tmp_path / "copy.csv"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"copy\.csv"):
        read_labels(path, judge="gpt4_label")
