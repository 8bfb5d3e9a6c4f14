"""A reference path and its branches to one row of token ids, each token stored once.  Pure integers.

The *trunk* is the prompt (image tokens in place) and the reference path.  Every branch forks from the trunk, so a
branch sees a contiguous start of the trunk and itself: three numbers `(start, end, fork)` describe it.

    row    p p p r r r r r r e | b b b e | b b e
                 ^ fork of both branches        visible to the last branch: p p p | b b e

A token is scored at the position that precedes it in its path, its *read position*: the first token of a branch is
read from the last token of its prefix, on the trunk, so nothing has to be copied and the decision itself is scored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

REFERENCE = 0
"""Number of the reference path; branch j of the input is path j + 1."""


@dataclass(frozen=True)
class Branch:
    """A sampled continuation of the first `prefix` segments of the reference path, end token included."""

    prefix: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """Where a branch stands in a row: tokens `start` to `end`, which also see the tokens before `fork`."""

    start: int
    end: int
    fork: int


@dataclass(frozen=True)
class ScoredPath:
    """Target tokens of one path and the row positions whose next token they are."""

    path: int
    reads: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One row of a batch: `trunk` tokens of one path (the first `prompt` of them the prompt), then the branches."""

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
            first = span.fork - self.prompt
            depths.extend(range(first, first + span.end - span.start))
        return depths


def pack_tree(
    prompt_ids: Sequence[int],
    trunk_segments: Sequence[tuple[int, ...]],
    branches: Sequence[Branch],
    max_length: int | None = None,
) -> Row:
    """One row with the trunk and all branches that fit, in (prefix, branch) order.

    A branch whose path (prompt, prefix and branch) is longer than `max_length` tokens is left out whole; its path
    number is then absent from `scored`.  Raises ValueError for an empty prompt, reference or branch, for a prefix
    that the reference path does not have, and for a reference path longer than `max_length`.
    """
    forks = _forks(prompt_ids, trunk_segments)
    limit = forks[-1] if max_length is None else max_length
    if forks[-1] > limit:
        raise ValueError(f"prompt and reference path have {forks[-1]} tokens, more than max_length {max_length}")
    ids = (*prompt_ids, *(i for segment in trunk_segments for i in segment))
    prompt = len(prompt_ids)
    reference = ScoredPath(REFERENCE, tuple(range(prompt - 1, len(ids) - 1)), ids[prompt:])
    kept = []
    for number in sorted(range(len(branches)), key=lambda j: branches[j].prefix):
        fork = _fork(forks, branches[number])
        if max_length is None or fork + len(branches[number].ids) <= max_length:
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

    The trunk ends at the last fork that is left, or stays whole with the reference path; rows without any of the paths
    are left out.
    """
    return tuple(_only(row, paths) for row in rows if any(path.path in paths for path in row.scored))


def unique_tokens(rows: Sequence[Row]) -> int:
    """Tokens of one tree, each counted once: the fewest that a step can process, whatever its rows are."""
    return max(row.trunk for row in rows) + sum(span.end - span.start for row in rows for span in row.spans)


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens that two sequences share from the start."""
    for length, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return length
    return min(len(first), len(second))


def _row(
    trunk_ids: tuple[int, ...],
    prompt: int,
    reference: Sequence[ScoredPath],
    branches: Sequence[tuple[int, int, tuple[int, ...]]],
) -> Row:
    """Trunk and branches (path number, fork, ids) joined."""
    ids, spans, scored = list(trunk_ids), [], list(reference)
    for path, fork, branch_ids in branches:
        span = Span(len(ids), len(ids) + len(branch_ids), fork)
        spans.append(span)
        ids.extend(branch_ids)
        scored.append(ScoredPath(path, (fork - 1, *range(span.start, span.end - 1)), branch_ids))
    return Row(tuple(ids), prompt, len(trunk_ids), tuple(spans), tuple(scored))


def _only(row: Row, paths: Collection[int]) -> Row:
    reference = [path for path in row.scored if path.path == REFERENCE and REFERENCE in paths]
    branches = [path for path in row.scored if path.path != REFERENCE]
    kept = [(p.path, s.fork, p.targets) for s, p in zip(row.spans, branches, strict=True) if p.path in paths]
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
