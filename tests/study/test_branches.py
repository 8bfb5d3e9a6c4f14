"""Counts of branches by prefix, of trees that are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_files import RIGHT, final_task, keep, small_study, study_in, sweep_task
from test_teaching import explored  # noqa: F401 - a fixture

from srpo.errors import DataError
from srpo.explore import build_contrasts
from srpo.study.branches import Branches, branches_of, branches_table, drawing_of, drawings_table, keep_branches
from srpo.study.read import Read
from srpo.study.settings import Ablation, Method
from srpo.study.tasks import Task
from srpo.study.teaching import Explored


@pytest.fixture
def counted(explored: Explored) -> Branches:  # noqa: F811
    """Two hazard trees and six harmless ones; of each the unfavourable branch of prefix 2 is three tokens longer."""
    trees = []
    for tree in explored.trees:
        longer = tree.branches[3]
        nodes = [
            n.model_copy(update={"token_ids": (5, 6, 7, *n.token_ids)}) if i == longer else n
            for i, n in enumerate(tree.nodes)
        ]
        trees.append(tree.model_copy(update={"nodes": tuple(nodes)}))
    found = Explored(explored.samples, trees, explored.verdicts, explored.contrasts, explored.folder)
    yields = [build_contrasts(t, found.verdicts[t.id], found.samples[t.sample], seed=0)[1] for t in trees]
    return branches_of("shipped", 0, found, yields)


def test_branches_are_counted_by_kind_of_cell_and_prefix(counted):
    assert counted.trees == counted.contrasted == {"hazard": 2, "benign": 6}
    rows = {(row.kind, row.counts.prefix): row for row in counted.prefixes}
    assert sorted(prefix for kind, prefix in rows if kind == "hazard") == list(range(7))
    for kind, trees in counted.trees.items():
        counts = rows[kind, 2].counts
        assert (counts.unique, counts.favourable, counts.unfavourable) == (2 * trees, trees, trees)
        assert (rows[kind, 2].favourable_tokens, rows[kind, 2].unfavourable_tokens) == (2.0, 5.0)
        assert (rows[kind, 1].counts.unique, rows[kind, 1].favourable_tokens) == (0, None)


def test_the_table_pools_seeds_of_the_main_runs(counted, tmp_path: Path):
    study = study_in(tmp_path)
    keep(study, sweep_task("sft", 1e-4), [RIGHT, RIGHT], [RIGHT, RIGHT])
    keep(study, final_task("base", 0), [RIGHT] * 8, [RIGHT] * 8)
    assert branches_table(Read(study.settings, study.results)).rows == ()
    for seed in (0, 1, 7):  # the last is none of the study's
        keep_branches(study.results, counted.model_copy(update={"seed": seed}))
    table = branches_table(Read(study.settings, study.results))
    assert "(base and seed: shipped 0, shipped 1)" in table.note
    assert "4 of 4 hazard trees and 12 of 12 harmless trees have a contrast" in table.note
    found = {row[:2]: row[2:] for row in table.rows}
    assert found["hazard", "2"] == ("2.00", "50.0", "50.0", "0.0", "0.0", "1.00", "2", "5")
    assert found["harmless", "1"] == ("0.00", "0.0", "0.0", "0.0", "0.0", "0.00", "", "")
    study.results.branches("shipped", 0).write_text("{")
    with pytest.raises(DataError, match="not the counts of branches"):
        branches_table(Read(study.settings, study.results))


def test_branches_that_are_drawn_otherwise_are_kept_and_told_apart(counted, tmp_path: Path):
    own = Method(label="Adaptive", trainer="own", run={"explore": {"budget": "adaptive"}}, rate_of="sft")
    like_it = own.model_copy(update={"label": "Like it"})
    fewer = {"K2": {"run": {"explore": {"branches_per_prefix": 2}}}, "light": {"run": {"train": {"beta": 0.5}}}}
    settings = small_study(ablations={"branches": Ablation(title="Branches", methods=("sft",), variants=fewer)})
    methods = {**settings.methods, "adaptive": own, "like_it": like_it}
    study = study_in(tmp_path, settings.model_copy(update={"methods": methods}))
    for rate in (1e-4, 3e-4):
        keep(study, sweep_task("sft", rate), [RIGHT], [RIGHT])
    assert drawings_table(Read(study.settings, study.results)).rows == ()
    variants = {v: _ablated(v) for v in ("K2", "light")}
    assert {v: drawing_of(study.settings, task) for v, task in variants.items()} == {"K2": "branches=K2", "light": ""}
    names = ("sft", "adaptive", "like_it")
    assert [drawing_of(study.settings, final_task(name, 0)) for name in names] == ["", "adaptive", "adaptive"]
    bare = counted.model_copy(update={"contrasted": {"hazard": 1, "benign": 0}})
    for drawn, branches in (("", counted), ("adaptive", bare), ("branches=K2", counted)):
        keep_branches(study.results, branches.model_copy(update={"drawn": drawn}))
    assert drawings_table(Read(study.settings, study.results)).rows == (
        ("all others", "100.0", "1.0", "100.0", "1.0", "1"),
        ("Adaptive", "50.0", "2.0", "0.0", "", "1"),
        ("Branches: K2", "100.0", "1.0", "100.0", "1.0", "1"),
    )
    assert len(branches_table(Read(study.settings, study.results)).rows) == 14  # of the shared ones alone


def _ablated(variant: str) -> Task:
    return final_task("sft", 0).model_copy(update={"purpose": "ablation", "ablation": "branches", "variant": variant})
