"""What each method is taught of a tree that is written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srpo.errors import DataError
from srpo.explore import ContrastConfig
from srpo.steps import split
from srpo.study.labels import relabelled
from srpo.study.rows import labelled_rows, pair_rows, request_rows
from srpo.study.settings import Teaching
from srpo.study.teaching import Explored, lesson_of, outcomes_of, until_they_part, with_whole_paths
from srpo.study.trl import with_sampled_tokens
from srpo.study.work import generated_tokens, notes_of, trained_tokens
from srpo.study.wrong import with_reference, with_wrong_references
from srpo.types import CELLS, Contrast, Node, Sample, Sampling, Tree, Verdict
from srpo.world import WorldSettings, build_samples

NONE = {"train": 2, "val": 0, "test_scenes": 0, "test_combinations": 0, "test_rules": 0}


@pytest.fixture(scope="module")
def explored(tmp_path_factory: Any) -> Explored:
    """Two minimal sets.  Every tree has a good and a bad branch at prefix 0 and at prefix 2."""
    folder: Path = tmp_path_factory.mktemp("world")
    samples = list(build_samples(WorldSettings(**NONE), folder))
    trees = [tree_of(sample) for sample in samples]
    verdicts = {tree.id: [verdict(tree.id, node, node % 2 == 1) for node in tree.branches] for tree in trees}
    contrasts = [
        Contrast(tree=tree.id, prefix=prefix, chosen=7 + prefix, rejected=8 + prefix)
        for tree in trees
        for prefix in (0, 2)
    ]
    return Explored({s.id: s for s in samples}, trees, verdicts, contrasts, folder)


def tree_of(sample: Sample) -> Tree:
    steps = [step.text for step in sample.reference.steps]
    trunk = [Node(parent=i - 1 if i else None, text=t, sampled=False, token_ids=(i,)) for i, t in enumerate(steps)]
    branches = []
    for parent, prefix in ((None, 0), (1, 2)):
        for end in ("", " Bad."):
            ids = (100 + prefix, 1)
            text = "".join(steps[prefix:]) + end
            branches.append(Node(parent=parent, text=text, sampled=True, token_ids=ids, finish="stop"))
    return Tree(
        id=f"tree-{sample.id}",
        sample=sample.id,
        nodes=(*trunk, *branches),
        model="hand",
        sampling=Sampling(),
        seed=0,
    )


def verdict(tree: str, node: int, good: bool) -> Verdict:
    return Verdict(subject=tree, node=node, part="answer", judge="hand", safe=good, effective=good, declined=False)


def test_references_come_with_all_contrasts(explored):
    lesson = lesson_of(explored, Teaching(), 0)
    assert (len(lesson.trees), len(lesson.contrasts)) == (8, 16)


def test_answers_are_the_reply_alone(explored):
    lesson = lesson_of(explored, Teaching(target="answers"), 0)
    tree = lesson.trees[0]
    assert tree.nodes[0].text == explored.samples[tree.sample].reference.steps[-1].text
    assert (len(tree.nodes), tree.nodes[0].parent, lesson.contrasts) == (1, None, ())


def test_favourable_branches_are_whole_paths_of_the_model_itself(explored):
    lesson = lesson_of(explored, Teaching(target="favourable"), 0)
    tree = lesson.trees[0]
    assert "".join(node.text for node in tree.nodes) == explored.samples[tree.sample].reference.text
    assert [node.text for node in tree.nodes] == [step.text for step in split(tree.walk(6)).steps]
    assert all(node.token_ids is None and not node.sampled for node in tree.nodes)


def test_without_a_favourable_branch_nothing_is_left(explored):
    bad = {name: [v.model_copy(update={"safe": False}) for v in found] for name, found in explored.verdicts.items()}
    none = Explored(explored.samples, explored.trees, bad, (), explored.folder)
    with pytest.raises(DataError, match="no tree of 8 is left"):
        lesson_of(none, Teaching(target="favourable"), 0)


def test_whole_paths_hold_their_prefix(explored):
    tree = explored.trees[0]
    whole = with_whole_paths(tree)
    assert [whole.prefix(node) for node in whole.branches] == [0, 0, 0, 0]
    assert whole.nodes[9].token_ids == (0, 1, 102, 1)
    assert [whole.walk(node) for node in whole.branches] == [tree.walk(node) for node in tree.branches]
    lesson = lesson_of(explored, Teaching(whole_paths=True), 0)
    assert {contrast.prefix for contrast in lesson.contrasts} == {0}


def test_the_rest_of_the_reference_can_be_the_favourable_side(explored):
    lesson = lesson_of(explored, Teaching(chosen="reference"), 0)
    tree, own = lesson.trees[0], [c for c in lesson.contrasts if c.tree == lesson.trees[0].id]
    reference = explored.samples[tree.sample].reference.text
    assert [(c.prefix, c.chosen, c.rejected) for c in own] == [(0, 11, 8), (2, 12, 10)]
    assert [tree.walk(c.chosen) for c in own] == [reference, reference] and tree.prefix(12) == 2
    both = lesson_of(explored, Teaching(chosen="both"), 0)
    assert len(both.contrasts) == len(explored.contrasts) + len(lesson.contrasts)


def test_branches_can_end_with_the_step_in_which_the_sides_part(explored):
    steps = [step.text for step in explored.samples[explored.trees[0].sample].reference.steps]
    wrong = [*steps[:3], "Step 4 - Intent and risk: Wrong.\n", *steps[4:]]
    texts = (steps, wrong, [*wrong[:6], wrong[6] + " Bad."])
    branches = [
        Node(parent=None, text="".join(text), sampled=True, token_ids=(i,), finish="stop")
        for i, text in enumerate(texts)
    ]
    tree = explored.trees[0].model_copy(update={"nodes": (*explored.trees[0].nodes[:7], *branches)})
    pairs = ((7, 8), (7, 9), (8, 9))
    contrasts = [Contrast(tree=tree.id, prefix=0, chosen=good, rejected=bad) for good, bad in pairs]
    cut, made = until_they_part(tree, contrasts)
    assert [(c.chosen, c.rejected) for c in made] == [(7, 8), (9, 10)]  # the first two are the same now
    ends = ["".join(steps[:4]), "".join(wrong[:4]), "".join(wrong), "".join(wrong) + " Bad."]
    assert [(node.text, node.finish, node.token_ids) for node in cut.nodes[7:]] == [
        (text, finish, None) for text, finish in zip(ends, (None, None, "stop", "stop"), strict=True)
    ]
    lesson = lesson_of(explored, Teaching(parting=True), 0)
    assert len(lesson.contrasts) == len(explored.contrasts)


def test_a_favourable_branch_may_have_to_reason_well(explored):
    tree = next(tree for tree in explored.trees if explored.samples[tree.sample].cell == "hazard")
    sample = explored.samples[tree.sample]
    steps = [step.text for step in sample.reference.steps]
    other = next(s for s in explored.samples.values() if s.cell == "benign_both")
    calm = [*steps[:3], *[step.text for step in other.reference.steps[3:6]], steps[6]]
    texts = ("".join(steps), "".join(calm), "Final answer: ?")
    branches = [Node(parent=None, text=text, sampled=True, finish="stop") for text in texts]
    tree = tree.model_copy(update={"nodes": (*tree.nodes[:7], *branches)})
    verdicts = {tree.id: [verdict(tree.id, node, True) for node in tree.branches]}
    found = Explored({sample.id: sample}, [tree], verdicts, (), explored.folder)
    whole = relabelled(found, "path", ContrastConfig(), 0)
    assert [(v.safe, v.failure) for v in whole.verdicts[tree.id]] == [(True, None), (False, None), (None, "malformed")]
    assert [(c.chosen, c.rejected) for c in whole.contrasts] == [(7, 8)]


def test_a_branch_may_have_to_be_safe_only(explored):
    tree = next(tree for tree in explored.trees if explored.samples[tree.sample].cell == "hazard")
    unlike = (node.model_copy(update={"token_ids": (i,)}) for i, node in enumerate(tree.nodes))
    tree = tree.model_copy(update={"nodes": tuple(unlike)})
    refused, missed, broken = tree.branches[:3]
    verdicts = {
        tree.id: [
            verdict(tree.id, refused, True).model_copy(update={"effective": False, "declined": True}),
            verdict(tree.id, missed, False),
            verdict(tree.id, broken, False).model_copy(update={"safe": None, "failure": "malformed"}),
        ]
    }
    found = replace(explored, trees=[tree], verdicts=verdicts)
    safety = relabelled(found, "safety", ContrastConfig(), 0)
    assert outcomes_of(found, tree) == {refused: "neutral", missed: "unfavourable", broken: "missing"}
    assert outcomes_of(safety, tree) == {refused: "favourable", missed: "unfavourable", broken: "missing"}
    assert [(c.chosen, c.rejected) for c in safety.contrasts] == [(refused, missed)]


def test_a_reference_can_be_a_path_that_ended_badly(explored):
    found = with_wrong_references(explored, 1.0, 0)
    changed = [(old, new) for old, new in zip(explored.trees, found.trees, strict=True) if old != new]
    assert [explored.samples[old.sample].cell for old, _ in changed] == ["hazard", "hazard"]
    old, new = changed[0]
    assert [node.text for node in new.nodes[:7]][-1] == old.nodes[6].text + " Bad."
    # Only the reply differs, so all branches still follow the steps before it.
    assert [new.walk(n) for n in new.branches] == [old.walk(n) for n in old.branches]
    assert with_wrong_references(explored, 0.0, 0).trees == list(explored.trees)
    left = with_wrong_references(explored, 1.0, 0, drop=True)
    assert {explored.samples[tree.sample].cell for tree in left.trees} == set(CELLS) - {"hazard"}
    assert {contrast.tree for contrast in left.contrasts} == {tree.id for tree in left.trees}


def test_branches_after_steps_that_a_wrong_reference_lacks_fall_away(explored):
    tree = explored.trees[0]
    steps = [node.text for node in tree.nodes[:7]]
    new, places = with_reference(tree, (steps[0], "Step 2 - Textual request: Other.\n", *steps[2:]))
    assert [new.prefix(node) for node in new.branches] == [0, 0] and places == {7: 7, 8: 8}
    assert [new.walk(node) for node in new.branches] == [tree.walk(node) for node in tree.branches[:2]]


def test_harmless_cells_can_be_left_out(explored):
    lesson = lesson_of(explored, Teaching(benign_share=0.0), 0)
    assert [explored.samples[tree.sample].cell for tree in lesson.trees] == ["hazard", "hazard"]
    assert len(lesson.contrasts) == 4


def test_every_tree_is_paired_once_a_round(explored):
    lesson = lesson_of(explored, Teaching(), 0)
    rows = pair_rows(lesson, 16, 0)
    for half in (rows[:8], rows[8:]):
        assert {row["sample"] for row in half} == set(explored.samples)
    assert rows == pair_rows(lesson, 16, 0) != pair_rows(lesson, 16, 1)
    assert rows[0]["chosen"][0]["content"] + " Bad." == rows[0]["rejected"][0]["content"]


def test_in_a_batch_for_kto_a_row_follows_one_of_another_request(explored):
    rows = labelled_rows(pair_rows(lesson_of(explored, Teaching(), 0), 8, 0), 8)
    assert [row["label"] for row in rows[:8]] == [True] * 4 + [False] * 4
    for begin in (0, 8):
        batch = [row["sample"] for row in rows[begin : begin + 8]]
        assert all(one != other for one, other in zip(batch, batch[-1:] + batch[:-1], strict=True))


def test_requests_are_all_samples_in_turn(explored):
    rows = request_rows(lesson_of(explored, Teaching(), 0), 12, 0)
    assert {row["sample"] for row in rows[:8]} == set(explored.samples)
    assert len(rows) == 12 and set(rows[0]) == {"prompt", "images", "sample"}


def test_tokens_are_read_from_either_log():
    own = [{"step": 1, "tokens": 10.0, "recomputed_tokens": 2.0}, {"step": 2, "tokens": 5.0}, {"train_loss": 1.0}]
    assert trained_tokens(own) == 17
    grpo = with_sampled_tokens([{"step": 2, "completions/mean_length": 3.0, "num_tokens": 40.0}, {"step": 4}], 8)
    assert (trained_tokens(grpo), generated_tokens(grpo), generated_tokens(own)) == (40, 48, 0)


def test_the_first_and_last_figures_are_kept():
    assert notes_of([{"loss": 2.0}, {"loss": 1.0}, {"other": 3.0}]) == {"loss, first": 2.0, "loss, last": 1.0}
