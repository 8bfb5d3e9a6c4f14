"""A reference path and its branches to one row of token ids, a prefix tree: what paths share is stored once.

The *trunk* is the prompt (image tokens in place) and the reference path.  A branch follows the trunk for as long as it
has the same tokens, then other branches for as long as they have, and is stored from where it leaves both.  What is
stored is cut into *spans*, runs of tokens between two places where paths part.

    paths  p p p r r r r e        row    p p p r r r r e | a | b e | c e
           p p p a b e                         ^ here all three spans leave the trunk
           p p p a c e                   visible to the last span: p p p | a | c e

A token is scored at the position that precedes it in its path, its *read position*: the first token of a branch is
read from the last token of its prefix, on the trunk, so nothing has to be copied and the decision itself is scored.
Pure integers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from operator import itemgetter

REFERENCE = 0
"""Number of the reference path; branch j of the input is path j + 1."""


@dataclass(frozen=True)
class Branch:
    """A sampled continuation of the first `prefix` segments of the reference path, end token included."""

    prefix: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """Tokens `start` to `end` of a row, which also see the stretches `before`: the start of the trunk, then spans."""

    start: int
    end: int
    before: tuple[tuple[int, int], ...]

    @property
    def trunk(self) -> int:
        """Tokens of the trunk that it sees."""
        return self.before[0][1]

    @property
    def depth(self) -> int:
        """Tokens before it in its paths."""
        return sum(end - start for start, end in self.before)


@dataclass(frozen=True)
class ScoredPath:
    """Target tokens of one path and the row positions whose next token they are."""

    path: int
    reads: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One row of a batch: `trunk` tokens of one path (the first `prompt` of them the prompt), then the spans.

    Spans stand in the order in which they leave the trunk, and what goes on from a span follows it at once.
    """

    ids: tuple[int, ...]
    prompt: int
    trunk: int
    spans: tuple[Span, ...]
    scored: tuple[ScoredPath, ...]

    def depths(self) -> list[int]:
        """Distance of each token from the prompt's end along its path: 0 for the first token after the prompt.

        Tokens of the prompt get negative numbers.  Positions of a model are its own for the prompt, and the position
        after the prompt plus the depth elsewhere, on all axes, because paths hold no image tokens.
        """
        depths = list(range(-self.prompt, self.trunk - self.prompt))
        for span in self.spans:
            first = span.depth - self.prompt
            depths.extend(range(first, first + span.end - span.start))
        return depths


def pack_tree(
    prompt_ids: Sequence[int],
    trunk_segments: Sequence[tuple[int, ...]],
    branches: Sequence[Branch],
    max_length: int | None = None,
) -> Row:
    """One row with the trunk and all branches that fit; `scored` has them in (prefix, branch) order.

    A branch whose path (prompt, prefix and branch) is longer than `max_length` tokens is left out whole; its path
    number is then absent from `scored`.  Raises ValueError for an empty prompt, reference or branch, for a prefix
    that the reference path does not have, and for a reference path longer than `max_length`.
    """
    forks = _forks(prompt_ids, trunk_segments)
    limit = inf if max_length is None else max_length
    if forks[-1] > limit:
        raise ValueError(f"prompt and reference path have {forks[-1]} tokens, more than max_length {max_length}")
    ids = (*prompt_ids, *(i for segment in trunk_segments for i in segment))
    prompt = len(prompt_ids)
    reference = ScoredPath(REFERENCE, tuple(range(prompt - 1, len(ids) - 1)), ids[prompt:])
    kept = []
    for number in sorted(range(len(branches)), key=lambda j: branches[j].prefix):
        fork = _fork(forks, branches[number])
        if fork + len(branches[number].ids) <= limit:
            kept.append((number + 1, fork, branches[number].ids))
    return _row(ids, prompt, [reference], kept)


def flat_rows(
    prompt_ids: Sequence[int],
    trunk_segments: Sequence[tuple[int, ...]],
    branches: Sequence[Branch],
    max_length: int | None = None,
) -> list[Row]:
    """The same paths without sharing: one row for the reference path and one per branch, prefix repeated.

    Drops and raises as `pack_tree` does.
    """
    tree = pack_tree(prompt_ids, trunk_segments, branches, max_length)
    return [_only(tree, {path.path}) for path in tree.scored]


def cut_rows(rows: Sequence[Row], paths: Collection[int]) -> tuple[Row, ...]:
    """What remains of the rows of one tree if they hold only these paths.

    The trunk ends at the last prefix that is left, or stays whole with the reference path; rows without any of the
    paths are left out.
    """
    return tuple(_only(row, paths) for row in rows if any(path.path in paths for path in row.scored))


def unique_tokens(rows: Sequence[Row]) -> int:
    """Tokens of one tree, each counted once: the fewest that a step can process, whatever its rows are."""
    if len(rows) == 1:
        return len(rows[0].ids)
    longest = max(rows, key=lambda row: row.trunk)
    branches = [branch for row in rows for branch in _branches(row)]
    return len(_row(longest.ids[: longest.trunk], longest.prompt, (), branches).ids)


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens that two sequences share from the start."""
    for length, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return length
    return min(len(first), len(second))


_Stretches = tuple[tuple[int, int], ...]

_Branch = tuple[int, int, tuple[int, ...]]
"""Path number, fork, ids."""

_Tail = tuple[int, tuple[int, ...]]
"""Index of a branch, and those of its ids that have no place yet."""


def _row(trunk_ids: tuple[int, ...], prompt: int, reference: Sequence[ScoredPath], branches: Sequence[_Branch]) -> Row:
    """Trunk and branches joined."""
    ids, spans = list(trunk_ids), list[Span]()
    places: list[list[int]] = []
    tails: defaultdict[int, list[_Tail]] = defaultdict(list)
    for index, (_, fork, own) in enumerate(branches):
        left = fork + common_prefix(trunk_ids[fork:], own)
        places.append(list(range(fork, left)))
        if left - fork < len(own):
            tails[left].append((index, own[left - fork :]))
    for left in sorted(tails):
        for span, members in _grow(sorted(tails[left], key=itemgetter(1)), ((0, left),), ids):
            spans.append(span)
            for index in members:
                places[index].extend(range(span.start, span.end))
    made = (ScoredPath(n, (fork - 1, *at[:-1]), own) for (n, fork, own), at in zip(branches, places, strict=True))
    return Row(tuple(ids), prompt, len(trunk_ids), tuple(spans), (*reference, *made))


def _grow(tails: Sequence[_Tail], before: _Stretches, ids: list[int]) -> Iterator[tuple[Span, list[int]]]:
    """Spans of sorted tails that begin at one place, with the branches that go through each; appends to `ids`."""
    waiting = _alike(tails, before)
    while waiting:
        through, before = waiting.pop()
        # The tails are sorted: what the first and the last share, all share.
        length = common_prefix(through[0][1], through[-1][1])
        span = Span(len(ids), len(ids) + length, before)
        ids.extend(through[0][1][:length])
        yield span, [index for index, _ in through]
        rest = [(index, own[length:]) for index, own in through if len(own) > length]
        waiting += _alike(rest, (*before, (span.start, span.end)))


def _alike(tails: Sequence[_Tail], before: _Stretches) -> list[tuple[list[_Tail], _Stretches]]:
    """Tails by their first token, the last ones first."""
    groups = [(list(group), before) for _, group in groupby(tails, key=lambda tail: tail[1][0])]
    return groups[::-1]


def _branches(row: Row) -> list[_Branch]:
    return [(path.path, path.reads[0] + 1, path.targets) for path in row.scored if path.path != REFERENCE]


def _only(row: Row, paths: Collection[int]) -> Row:
    reference = [path for path in row.scored if path.path == REFERENCE and REFERENCE in paths]
    kept = [branch for branch in _branches(row) if branch[0] in paths]
    trunk = row.trunk if reference else max(fork for _, fork, _ in kept)
    return _row(row.ids[:trunk], row.prompt, reference, kept)


def _forks(prompt_ids: Sequence[int], trunk_segments: Sequence[tuple[int, ...]]) -> list[int]:
    """Tokens before each open position: fork i is the length of the prompt and the first i segments."""
    forks = [len(prompt_ids)]
    for segment in trunk_segments:
        forks.append(forks[-1] + len(segment))
    if forks[0] == 0 or forks[-1] == forks[0]:
        raise ValueError(f"a row needs a prompt and a reference path, got {forks[0]} and {forks[-1] - forks[0]} tokens")
    return forks


def _fork(forks: Sequence[int], branch: Branch) -> int:
    if not branch.ids:
        raise ValueError(f"a branch of prefix {branch.prefix} has no tokens")
    if not 0 <= branch.prefix < len(forks):
        raise ValueError(f"a branch of prefix {branch.prefix}, but the reference path has {len(forks) - 1} segments")
    return forks[branch.prefix]
