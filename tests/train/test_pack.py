"""Rows: every branch sees its prompt, its prefix and itself, and nothing else; what paths share is stored once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srpo.train.attention import row_mask
from srpo.train.pack import REFERENCE, Branch, Row, Span, common_prefix, cut_rows, flat_rows, pack_tree, unique_tokens
from srpo.train.segments import plan_segments
from srpo.train.varlen import plan_varlen

# Few different tokens, so that paths often share a start.
tokens = st.lists(st.integers(0, 2), min_size=1, max_size=5).map(tuple)


@st.composite
def trees(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[int, ...]], list[Branch]]:
    segments = draw(st.lists(tokens, min_size=1, max_size=4))
    prefixes = st.integers(0, len(segments) - 1)
    return draw(tokens), segments, draw(st.lists(st.builds(Branch, prefixes, tokens), max_size=6))


def path_of(prompt: tuple[int, ...], segments: list[tuple[int, ...]], branch: Branch) -> tuple[int, ...]:
    return prompt + sum(segments[: branch.prefix], ()) + branch.ids


def seen_before(row: Row, position: int) -> tuple[int, ...]:
    """Ids that a position attends to, in order."""
    mask = row_mask([row], torch.device("cpu"))[0, 0, position]
    return tuple(row.ids[k] for k in range(len(row.ids)) if mask[k])


@settings(deadline=None, max_examples=60)
@given(trees())
def test_every_token_is_read_where_exactly_its_past_is_visible(tree):
    prompt, segments, branches = tree
    row = pack_tree(*tree)
    paths = {0: prompt + sum(segments, ())} | {j: path_of(prompt, segments, b) for j, b in enumerate(branches, 1)}
    assert {scored.path for scored in row.scored} == set(paths)
    for scored in row.scored:
        path = paths[scored.path]
        start = len(path) - len(scored.targets)
        assert path[start:] == scored.targets
        for step, (read, target) in enumerate(zip(scored.reads, scored.targets, strict=True)):
            assert seen_before(row, read) == path[: start + step]
            assert path[start + step] == target


@settings(deadline=None, max_examples=60)
@given(trees())
def test_depth_is_the_index_in_the_path(tree):
    prompt, segments, branches = tree
    row = pack_tree(*tree)
    assert row.depths()[: row.trunk] == list(range(-len(prompt), len(sum(segments, ()))))
    for scored in row.scored[1:]:
        branch = branches[scored.path - 1]
        prefix = len(sum(segments[: branch.prefix], ()))
        depths = [row.depths()[read] for read in scored.reads]
        assert depths == list(range(prefix - 1, prefix - 1 + len(branch.ids)))


@settings(deadline=None, max_examples=60)
@given(trees())
def test_what_paths_share_is_stored_once_and_branches_stand_in_order_of_their_prefix(tree):
    prompt, segments, branches = tree
    row = pack_tree(*tree)
    paths = [prompt + sum(segments, ()), *(path_of(prompt, segments, branch) for branch in branches)]
    assert len(row.ids) == len({path[:length] for path in paths for length in range(1, len(path) + 1)})
    order = [(branches[s.path - 1].prefix, s.path) for s in row.scored[1:]]
    assert order == sorted(order)
    assert [span.trunk for span in row.spans] == sorted(span.trunk for span in row.spans)


def test_a_tree_worked_by_hand():
    branches = [Branch(0, (4, 5, 9)), Branch(0, (4, 5, 8, 7)), Branch(0, (4, 5, 9)), Branch(1, (6,)), Branch(0, (3,))]
    row = pack_tree((1, 2), [(3,), (6, 6)], branches)
    #                  0  1  2  3  4  5  6  7  8  9
    assert row.ids == (1, 2, 3, 6, 6, 4, 5, 8, 7, 9)
    fork = (0, 2)
    assert row.spans == (Span(5, 7, (fork,)), Span(7, 9, (fork, (5, 7))), Span(9, 10, (fork, (5, 7))))
    reads = {scored.path: scored.reads for scored in row.scored}
    assert reads == {0: (1, 2, 3), 1: (1, 5, 6), 2: (1, 5, 6, 7), 3: (1, 5, 6), 5: (1,), 4: (2,)}


@settings(deadline=None, max_examples=60)
@given(trees())
def test_flat_rows_score_the_same_paths_on_plain_sequences(tree):
    prompt, segments, branches = tree
    rows = flat_rows(*tree)
    assert len(rows) == 1 + len(branches)
    for row in rows:
        (scored,) = row.scored
        full = (
            prompt + sum(segments, ())
            if scored.path == REFERENCE
            else path_of(prompt, segments, branches[scored.path - 1])
        )
        assert row.ids == full
        assert tuple(row.ids[r + 1] for r in scored.reads) == scored.targets
        assert scored.reads[-1] == len(full) - 2
        assert bool(
            (row_mask([row], torch.device("cpu"))[0, 0] == torch.ones(len(full), len(full)).tril().bool()).all()
        )


@settings(deadline=None, max_examples=40)
@given(st.lists(trees(), min_size=1, max_size=3))
def test_the_plans_of_both_executors_show_what_the_mask_shows(forest):
    rows = [pack_tree(*tree) for tree in forest]
    device = torch.device("cpu")
    longest = max(len(row.ids) for row in rows)
    by_segments = torch.zeros(len(rows), longest, longest, dtype=torch.bool)
    for b, plan in enumerate(plan_segments(rows, device)):
        by_segments[b, : plan.trunk, : plan.trunk] = torch.ones(plan.trunk, plan.trunk).tril()
        for segment in plan.segments:
            stretches = (*segment.before, (segment.start, segment.end))
            keys = [key for stretch in stretches for key in range(*stretch)]
            by_segments[b, segment.start : segment.end, keys] = segment.visible_11LK[0, 0]
    by_kernel = torch.zeros(len(rows) * longest, len(rows) * longest, dtype=torch.bool)
    plan = plan_varlen(rows, device)
    for s in range(len(plan.query_ends) - 1):
        queries, keys = (
            ids[slice(*e[s : s + 2])] for ids, e in ((plan.queries_Q, plan.query_ends), (plan.keys_K, plan.key_ends))
        )
        for back, query in enumerate(reversed(queries.tolist())):
            by_kernel[query, keys[: len(keys) - back]] = True
    for b, (row, mask) in enumerate(zip(rows, row_mask(rows, device)[:, 0], strict=True)):
        real, own = slice(len(row.ids)), slice(b * longest, b * longest + len(row.ids))
        assert by_segments[b][real, real].equal(mask[real, real])
        assert by_kernel[own, own].equal(mask[real, real]) and not by_kernel[own].sum() > mask[real, real].sum()
    assert len(plan.queries_Q) == sum(len(row.ids) for row in rows)


@settings(deadline=None, max_examples=60)
@given(trees())
def test_a_segment_is_one_span_or_no_longer_than_what_is_before_it(tree):
    row = pack_tree(*tree)
    (plan,) = plan_segments([row], torch.device("cpu"))
    whole = {(span.start, span.end) for span in row.spans}
    for segment in plan.segments:
        shortest = segment.visible_11LK[0, 0, 0].sum() - 1
        assert segment.end - segment.start <= shortest or (segment.start, segment.end) in whole
    assert [segment.end for segment in plan.segments[:-1]] == [segment.start for segment in plan.segments[1:]]


def test_segments_worked_by_hand():
    branches = [Branch(0, (5, 6)), Branch(0, (7,)), Branch(0, (8,)), Branch(1, (9,) * 5), Branch(1, (9, 6))]
    row = pack_tree((1, 2, 3), [(4,)], branches)
    (plan,) = plan_segments([row], torch.device("cpu"))
    # The last two share a 9 and are longer than the four tokens before it, so it goes alone, and then both.
    trunk = ((0, 4),)
    seen = [(s.start, s.end, s.before) for s in plan.segments]
    assert seen == [(4, 7, ((0, 3),)), (7, 8, ((0, 3),)), (8, 9, trunk), (9, 14, (*trunk, (8, 9)))]
    near = pack_tree((1, 2, 3), [(4,), (4,)], [Branch(0, (5,)), Branch(1, (6,))])
    ((segment,),) = (plan.segments for plan in plan_segments([near], torch.device("cpu")))
    assert segment.visible_11LK[0, 0].int().tolist() == [[1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 0, 1]]


def test_a_token_that_long_branches_share_does_not_make_one_mask_of_them():
    branches = [Branch(0, (7, n, *range(50))) for n in range(8)]
    (plan,) = plan_segments([pack_tree((1,) * 20, [(2,)], branches)], torch.device("cpu"))
    assert max(s.visible_11LK.numel() for s in plan.segments) == 51 * (20 + 1 + 51)


def test_many_branches_of_which_each_goes_on_from_another_are_packed():
    row = pack_tree((1,), [(9,)], [Branch(0, (2,) * length) for length in range(1, 1010)])
    assert len(row.ids) == 2 + 1009


@settings(deadline=None, max_examples=60)
@given(trees(), st.data())
def test_cut_rows_hold_the_paths_that_are_left_with_the_shortest_trunk(tree, data):
    for rows in ([pack_tree(*tree)], flat_rows(*tree)):
        whole = {path.path: path.targets for row in rows for path in row.scored}
        kept = data.draw(st.sets(st.sampled_from(sorted(whole)), min_size=1))
        cut = cut_rows(rows, kept)
        assert {path.path: path.targets for row in cut for path in row.scored} == {path: whole[path] for path in kept}
        if len(rows) == 1 and REFERENCE not in kept:
            assert cut[0].trunk == max(path.reads[0] + 1 for path in cut[0].scored)
        assert unique_tokens(rows) == len(pack_tree(*tree).ids)
        assert cut_rows(rows, set(whole)) == tuple(rows)


def test_padding_sees_only_padding():
    rows = [pack_tree((1, 2), [(3,)], [Branch(0, (4, 5))]), pack_tree((1,), [(2,)], [])]
    mask = row_mask(rows, torch.device("cpu"))[1, 0]
    assert not mask[2:, :2].any()
    assert not mask[:2, 2:].any()
    assert mask.diagonal().all()


def test_a_branch_that_is_too_long_is_left_out_whole_and_keeps_its_number_free():
    branches = [Branch(0, (7, 8, 9, 10)), Branch(1, (7,)), Branch(0, (7, 8, 7, 8, 9, 10))]
    row = pack_tree((1, 2), [(3,), (4,)], branches, max_length=6)
    assert [s.path for s in row.scored] == [0, 1, 2]
    assert row.ids == (1, 2, 3, 4, 7, 8, 9, 10, 7)


@pytest.mark.parametrize(
    ("prompt", "segments", "branches", "limit"),
    [
        ((), [(1,)], [], None),
        ((1,), [], [], None),
        ((1,), [(2,)], [Branch(0, ())], None),
        ((1,), [(2,)], [Branch(2, (3,))], None),
        ((1, 2), [(3, 4)], [], 3),
    ],
    ids=["no prompt", "no reference", "empty branch", "prefix out of range", "reference too long"],
)
def test_rows_that_make_no_sense_are_refused(prompt, segments, branches, limit):
    with pytest.raises(ValueError, match=r"."):
        pack_tree(prompt, segments, branches, limit)


@pytest.mark.parametrize(
    ("a", "b", "shared"), [((1, 2, 3), (1, 2, 4), 2), ((1,), (1, 2), 1), ((1,), (2,), 0), ((), (1,), 0)]
)
def test_common_prefix(a, b, shared):
    assert common_prefix(a, b) == shared
