"""Which branches are contrasted, which never are, and what the yield says about them."""

from __future__ import annotations

import random

import pytest

from srpo.errors import DataError
from srpo.explore import ContrastConfig, PrefixYield, build_contrasts, sum_yields
from srpo.steps import SEGMENT_NAMES, join
from srpo.types import Cell, Finish, Image, Node, Provenance, Sample, Sampling, Tree, Verdict

TRUNK = len(SEGMENT_NAMES)
END = 0


def make_sample(cell: Cell = "hazard") -> Sample:
    return Sample(
        id="s",
        split="train",
        group="g",
        cell=cell,
        image=Image(path="a.png", sha256="0", width=8, height=8),
        question="q",
        category=None,
        hypothesis=None,
        reference=join([f"body {name}" for name in SEGMENT_NAMES]),
        unsafe_reply=None,
        licence="MIT",
        provenance=Provenance(producer="procedural", source="test"),
    )


def branch(prefix: int, ids: tuple[int, ...] | None, text: str = "", finish: Finish = "stop") -> Node:
    parent = prefix - 1 if prefix else None
    return Node(parent=parent, text=text or str(ids), sampled=True, token_ids=ids, finish=finish)


def make_tree(*branches: Node, sample: str = "s", name: str = "t") -> Tree:
    trunk = [
        Node(parent=i - 1 if i else None, text=step.text, sampled=False, token_ids=(100 + i,))
        for i, step in enumerate(make_sample().reference.steps)
    ]
    return Tree(id=name, sample=sample, nodes=(*trunk, *branches), model="m", sampling=Sampling(), seed=0)


def judged(tree: Tree, marks: str) -> list[Verdict]:
    """One mark per branch: + favourable, - unfavourable, 0 neutral (in the hazard cell), ? failed, _ unjudged."""
    flags: dict[str, tuple[bool | None, bool | None]] = {
        "+": (True, True),
        "-": (False, False),
        "0": (True, False),
        "?": (None, None),
    }
    return [
        Verdict(
            subject=tree.id,
            node=node,
            part="answer",
            judge="j",
            safe=flags[mark][0],
            effective=flags[mark][1],
            failure="timeout" if mark == "?" else None,
        )
        for node, mark in zip(tree.branches, marks, strict=True)
        if mark != "_"
    ]


def pairs(tree: Tree, marks: str, config: ContrastConfig | None = None, seed: int = 0) -> list[tuple[int, int, int]]:
    contrasts, _ = build_contrasts(tree, judged(tree, marks), make_sample(), config, seed=seed)
    return [(one.prefix, one.chosen - TRUNK, one.rejected - TRUNK) for one in contrasts]


def test_every_favourable_branch_meets_every_unfavourable_one_of_its_prefix() -> None:
    tree = make_tree(*(branch(0, (i, END)) for i in range(1, 5)), branch(3, (9, END)), branch(3, (8, END)))
    assert pairs(tree, "++---+") == [(0, 0, 2), (0, 0, 3), (0, 1, 2), (0, 1, 3), (3, 5, 4)]


def test_branches_of_different_prefixes_are_never_contrasted() -> None:
    tree = make_tree(branch(1, (1, END)), branch(2, (2, END)))
    assert pairs(tree, "+-") == []


@pytest.mark.parametrize("mark", ["0", "?", "_"])
def test_neutral_failed_and_unjudged_branches_are_never_contrasted(mark: str) -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)))
    assert pairs(tree, "+" + mark) == []
    assert pairs(tree, mark + "-") == []


@pytest.mark.parametrize("finish", ["length", "error"])
def test_a_branch_that_was_cut_off_is_missing_even_if_a_judge_labelled_it(finish: Finish) -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, 3), finish=finish))
    contrasts, yields = build_contrasts(tree, judged(tree, "+-"), make_sample(), seed=0)
    assert contrasts == []
    assert (yields[0].missing, yields[0].unfavourable) == (1, 0)


def test_duplicates_by_token_ids_count_once_and_are_named_by_the_first() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)), branch(0, (1, END)), branch(0, (2, END)))
    contrasts, yields = build_contrasts(tree, judged(tree, "+-+-"), make_sample(), seed=0)
    assert [(one.chosen - TRUNK, one.rejected - TRUNK) for one in contrasts] == [(0, 1)]
    assert (yields[0].branches, yields[0].unique, yields[0].favourable, yields[0].unfavourable) == (4, 2, 1, 1)


def test_the_same_text_with_other_token_ids_is_another_branch() -> None:
    tree = make_tree(branch(0, (1, END), "ab"), branch(0, (2, 3, END), "ab"), branch(0, (4, END), "c"))
    assert pairs(tree, "++-") == [(0, 0, 2), (0, 1, 2)]


def test_without_token_ids_the_text_decides() -> None:
    tree = make_tree(branch(0, None, "ab"), branch(0, None, "ab"), branch(0, (4, END), "cd"))
    assert pairs(tree, "++-") == [(0, 0, 2)]


def test_equal_branches_with_opposite_outcomes_are_missing() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (1, END)), branch(0, (2, END)))
    contrasts, yields = build_contrasts(tree, judged(tree, "+--"), make_sample(), seed=0)
    assert contrasts == []
    assert (yields[0].missing, yields[0].unfavourable) == (1, 1)


def test_a_failed_judgement_of_one_copy_does_not_undo_that_of_the_other() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (1, END)), branch(0, (2, END)))
    assert pairs(tree, "?+-") == [(0, 1, 2)]  # the copy that was judged stands for both


@pytest.mark.parametrize(("good", "bad"), [((1, 2), (1, 2, 3)), ((1, 2, 3), (1, 2)), ((), (1,))])
def test_a_branch_that_opens_the_other_leaves_nothing_to_contrast(good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    tree = make_tree(branch(0, good, "a"), branch(0, bad, "b"))
    contrasts, yields = build_contrasts(tree, judged(tree, "+-"), make_sample(), seed=0)
    assert contrasts == []
    assert (yields[0].favourable, yields[0].unfavourable, yields[0].available) == (1, 1, 0)


def test_the_reference_path_is_no_branch() -> None:
    tree = make_tree(branch(0, (2, END)))
    contrasts, yields = build_contrasts(tree, judged(tree, "-"), make_sample(), seed=0)
    assert contrasts == []
    assert sum(row.branches for row in yields) == 1


WIDE = make_tree(*(branch(0, (i, END)) for i in range(1, 13)), *(branch(6, (i, END)) for i in range(1, 13)))
WIDE_MARKS = "+-" * 12


def test_at_most_the_cap_is_kept_per_prefix_without_repetition() -> None:
    config = ContrastConfig(max_per_prefix=5)
    contrasts, yields = build_contrasts(WIDE, judged(WIDE, WIDE_MARKS), make_sample(), config, seed=0)
    assert [(row.available, row.kept) for row in (yields[0], yields[6])] == [(36, 5), (36, 5)]
    assert len({(one.prefix, one.chosen, one.rejected) for one in contrasts}) == 10
    for one in contrasts:
        assert (one.chosen - TRUNK) % 2 == 0 and (one.rejected - TRUNK) % 2 == 1
        assert WIDE.prefix(one.chosen) == WIDE.prefix(one.rejected) == one.prefix


def test_the_draw_does_not_hang_on_the_order_of_the_verdicts() -> None:
    verdicts = judged(WIDE, WIDE_MARKS)
    expected = build_contrasts(WIDE, verdicts, make_sample(), seed=3)
    random.Random(0).shuffle(verdicts)
    assert build_contrasts(WIDE, verdicts, make_sample(), seed=3) == expected


def test_the_draw_hangs_on_seed_tree_and_prefix() -> None:
    config = ContrastConfig(max_per_prefix=6)
    first = pairs(WIDE, WIDE_MARKS, config, seed=0)
    assert pairs(WIDE, WIDE_MARKS, config, seed=0) == first
    assert pairs(WIDE, WIDE_MARKS, config, seed=1) != first
    assert pairs(WIDE.model_copy(update={"id": "other"}), WIDE_MARKS, config, seed=0) != first
    at_0 = [(chosen, rejected) for prefix, chosen, rejected in first if prefix == 0]
    at_6 = [(chosen - 12, rejected - 12) for prefix, chosen, rejected in first if prefix == 6]
    assert at_0 != at_6


def test_single_keeps_one_contrast_at_the_first_prefix_that_has_any() -> None:
    tree = make_tree(branch(0, (1, END)), *(branch(2, (i, END)) for i in range(1, 5)), *WIDE.nodes[TRUNK + 12 :])
    found = pairs(tree, "+++--" + "+-" * 6, ContrastConfig(contrasts="single"))
    assert len(found) == 1 and found[0][0] == 2


def test_a_refused_harmless_request_is_the_rejected_side() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)))
    verdicts = judged(tree, "+0")
    verdicts[1] = verdicts[1].model_copy(update={"declined": True})
    contrasts, _ = build_contrasts(tree, verdicts, make_sample("benign_text"), seed=0)
    assert [one.rejected - TRUNK for one in contrasts] == [1]


def test_the_hazard_refusal_option_reaches_the_contrasts() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)))
    assert pairs(tree, "+0", ContrastConfig(hazard_refusal="unfavourable")) == [(0, 0, 1)]


def test_verdicts_on_paths_and_on_other_trees_are_passed_over() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)))
    verdicts = judged(tree, "+-")
    strangers = [one.model_copy(update={"part": "path"}) for one in verdicts]
    strangers += [one.model_copy(update={"subject": "another"}) for one in verdicts]
    assert build_contrasts(tree, strangers + verdicts, make_sample(), seed=0)[0] != []
    assert build_contrasts(tree, strangers, make_sample(), seed=0)[0] == []


def test_two_verdicts_on_one_branch_are_an_error() -> None:
    tree = make_tree(branch(0, (1, END)), branch(0, (2, END)))
    verdicts = judged(tree, "+-")
    with pytest.raises(DataError, match=f"tree t, branch {TRUNK}: two verdicts"):
        build_contrasts(tree, [*verdicts, verdicts[0].model_copy(update={"judge": "k"})], make_sample(), seed=0)


@pytest.mark.parametrize("node", [None, 2, 99])
def test_a_verdict_on_no_branch_is_an_error(node: int | None) -> None:
    tree = make_tree(branch(0, (1, END)))
    verdict = judged(tree, "+")[0].model_copy(update={"node": node})
    with pytest.raises(DataError, match="no branch"):
        build_contrasts(tree, [verdict], make_sample(), seed=0)


def test_a_tree_of_another_sample_is_an_error() -> None:
    with pytest.raises(DataError, match="belongs to sample x"):
        build_contrasts(make_tree(sample="x"), [], make_sample(), seed=0)


def test_the_yield_counts_every_branch_of_every_prefix_once() -> None:
    marks = "++-0?_-"
    tree = make_tree(*(branch(0, (i, END)) for i in range(1, 7)), branch(4, (1, END)))
    _, yields = build_contrasts(tree, judged(tree, marks), make_sample(), seed=0)
    assert [row.prefix for row in yields] == list(range(TRUNK))
    assert yields[0] == PrefixYield(
        prefix=0,
        kind="hazard",
        branches=6,
        unique=6,
        favourable=2,
        unfavourable=1,
        neutral=1,
        missing=2,
        available=2,
        kept=2,
        tokens=12,
    )
    assert yields[1] == PrefixYield(prefix=1, kind="hazard")
    for row in yields:
        assert row.favourable + row.unfavourable + row.neutral + row.missing == row.unique


def test_yields_are_summed_per_prefix_over_all_and_by_kind_of_cell() -> None:
    hazard = [PrefixYield(prefix=0, kind="hazard", branches=4, kept=1)]
    benign = [
        PrefixYield(prefix=0, kind="benign", branches=3, kept=2),
        PrefixYield(prefix=1, kind="benign", branches=5),
    ]
    summed = sum_yields([benign, hazard, hazard])
    assert summed["hazard"] == [PrefixYield(prefix=0, kind="hazard", branches=8, kept=2)]
    assert summed["benign"] == benign
    assert [(row.prefix, row.kind, row.branches, row.kept) for row in summed["all"]] == [
        (0, "all", 11, 4),
        (1, "all", 5, 0),
    ]


def test_sums_can_be_summed_again() -> None:
    rows = [PrefixYield(prefix=0, kind="hazard", branches=4)]
    once = sum_yields([rows])["all"]
    assert sum_yields([once, once])["all"] == [PrefixYield(prefix=0, kind="all", branches=8)]


class TestStepCredit:
    def test_weights_go_by_the_credit_of_the_next_step(self) -> None:
        tree = make_tree(*(branch(0, (i, END)) for i in range(1, 5)), *(branch(1, (i, END)) for i in range(1, 5)))
        config = ContrastConfig(credit="step")
        contrasts, _ = build_contrasts(tree, judged(tree, "+---+++-"), make_sample(), config, seed=0)
        # Smoothed values 1.5/5 and 3.5/5, then 1: credits 0.4 and 0.3, three contrasts each.
        weights = {(contrast.prefix, round(contrast.weight, 6)) for contrast in contrasts}
        assert weights == {(0, round(0.4 / 0.35, 6)), (1, round(0.3 / 0.35, 6))} and len(contrasts) == 6

    def test_weights_have_mean_one(self) -> None:
        tree = make_tree(*(branch(p, (i, END)) for p in (0, 5, 6) for i in range(1, 5)))
        config = ContrastConfig(credit="step")
        contrasts, _ = build_contrasts(tree, judged(tree, "---+--+++-+-"), make_sample(), config, seed=0)
        weights = [contrast.weight for contrast in contrasts]
        assert sum(weights) / len(weights) == pytest.approx(1) and len(set(weights)) > 1

    def test_contrasts_before_a_step_without_credit_fall_away(self) -> None:
        tree = make_tree(*(branch(0, (i, END)) for i in range(1, 5)), *(branch(1, (i, END)) for i in range(1, 5)))
        config = ContrastConfig(credit="step")
        contrasts, _ = build_contrasts(tree, judged(tree, "+++-+---"), make_sample(), config, seed=0)
        assert {(contrast.prefix, round(contrast.weight, 6)) for contrast in contrasts} == {(1, 1.0)}
