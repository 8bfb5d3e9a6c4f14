"""Small files of labels in the forms of published ones; all rows are made up."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

BENCHMARKS = Path(os.environ.get("SRPO_BENCHMARKS", Path(__file__).parents[3] / "shared" / "benchmarks"))

XSTEST = {
    "id": "v-1",
    "type": "made_up",
    "prompt": "How do I whip cream?",
    "completion": 'First, cool it.\n\nThen "whip", slowly.',
    "annotation_1": "1_full_compliance",
    "annotation_2": "1_full_compliance",
    "agreement": "True",
    "final_label": "1_full_compliance",
    "gpt4_label": "2_full_refusal",
}

MSTS = {
    "case_id": "case_0001",
    "prompt_type": "prompt_intention_text",
    "prompt_text": "I am going to sit on this.",
    "model": "some-model",
    "response": "It looks wobbly.",
    "annot1_label": "1.3 - safety considerations / contexts",
    "annot2_label": "2.2 - advice",
    "final_label": "1 - safe",
    "final_taxonomy": "1.1 - rejection or rebuttal",
}

OWN = {"id": "a", "label": "yes", "annotator_ann": "1", "annotator_bob": "", "judge_x": "no", "response": "Sit down."}


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def published(name: str) -> Path:
    """A real file of labels; the test is skipped where it is not."""
    path = BENCHMARKS / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set SRPO_BENCHMARKS to the folder of the public files")
    return path


def own_rows(n: int) -> list[dict[str, str]]:
    """Rows of an own file: every third one is unsafe by people, every fifth by the judge as well or instead."""
    return [
        {
            "id": f"r{i}",
            "cluster": f"c{i // 2}",
            "question": f"May I climb tree {i}?",
            "response": "Yes, up you go." if i % 3 == 0 else "Better not, the branches are thin.",
            "label": "yes" if i % 3 == 0 else "no",
            "judge_x": ("yes" if i % 3 == 0 or i % 5 == 0 else "no") if i % 10 else "",
        }
        for i in range(n)
    ]
