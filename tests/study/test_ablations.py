"""Tables of variants, from outcomes that are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_files import MISSED, REFUSING, RIGHT, final_task, keep, small_study, study_in, sweep_task

from srpo.study.ablations import ablation_table, replies_table
from srpo.study.read import Read
from srpo.study.settings import Ablation


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """SRPO is right everywhere; one variant misses the risk in the first half of the rules, one refuses everything."""
    variants = {name: {"run": {"train": {"beta": 0.5}}} for name in ("missing", "refusing", "not_run")}
    ablation = Ablation(title="Beta", methods=("srpo", "sft"), variants=variants, seeds=(0,))
    study = study_in(tmp_path, small_study(ablations={"beta": ablation}))
    keep(study, sweep_task("srpo", 1e-4), [RIGHT, RIGHT], [RIGHT, RIGHT])
    keep(study, sweep_task("srpo", 3e-4), [MISSED, MISSED], [MISSED, MISSED])
    for seed in (0, 1):
        keep(study, final_task("srpo", seed), [RIGHT] * 8, [RIGHT] * 8)
    for variant, sets in (("missing", [MISSED] * 4 + [RIGHT] * 4), ("refusing", [REFUSING] * 8)):
        own = {"purpose": "ablation", "ablation": "beta", "variant": variant}
        keep(study, final_task("srpo", 0).model_copy(update=own), sets, [RIGHT] * 8)
    return Read(study.settings, study.results)


def test_variants_stand_beside_the_method_with_their_seeds(read):
    rows = ablation_table(read, "beta").rows
    assert [(row[0], row[1], row[2][:5], row[4][:5], row[-1]) for row in rows] == [
        ("SRPO", "as it is", "100.0", "100.0", "1"),
        ("SRPO", "missing", "50.0 ", "100.0", "1"),
        ("SRPO", "refusing", "0.0 [", "100.0", "1"),
    ]
    assert [row[3][:6] for row in rows] == ["", "-50.0 ", "-100.0"]


def test_safety_and_help_stand_apart(read):
    assert [(row[:3], *(cell.split()[0] for cell in row[3:7])) for row in replies_table(read).rows] == [
        (("Beta", "SRPO", "missing"), "-50.0", "+0.0", "+0.0", "+0.0"),
        (("Beta", "SRPO", "refusing"), "+0.0", "-100.0", "+0.0", "+0.0"),
    ]
