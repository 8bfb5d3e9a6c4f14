"""A reference path and its branches to one row of token ids, each token stored once.  Pure integers.

The *trunk* is the prompt (image tokens in place) and the reference path.  Every branch forks from the trunk, so a
branch sees a contiguous start of the trunk and itself: three numbers `(start, end, fork)` describe it.

    row    p p p r r r r r r e | b b b e | b b e
                 ^ fork of both branches        visible to the last branch: p p p | b b e

A token is scored at the position that precedes it in its path, its *read position*: the first token of a branch is
read from the last token of its prefix, on the trunk, so nothing has to be copied and the decision itself is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    ids = [*prompt_ids, *(i for segment in trunk_segments for i in segment)]
    trunk, prompt = len(ids), len(prompt_ids)
    spans: list[Span] = []
    scored = [ScoredPath(REFERENCE, tuple(range(prompt - 1, trunk - 1)), tuple(ids[prompt:]))]
    for number in sorted(range(len(branches)), key=lambda j: branches[j].prefix):
        branch = branches[number]
        fork = _fork(forks, branch)
        if max_length is not None and fork + len(branch.ids) > max_length:
            continue
        span = Span(len(ids), len(ids) + len(branch.ids), fork)
        spans.append(span)
        ids.extend(branch.ids)
        scored.append(ScoredPath(number + 1, (fork - 1, *range(span.start, span.end - 1)), branch.ids))
    return Row(tuple(ids), prompt, trunk, tuple(spans), tuple(scored))


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
    rows = [Row(tree.ids[: tree.trunk], tree.prompt, tree.trunk, (), tree.scored[:1])]
    for span, path in zip(tree.spans, tree.scored[1:], strict=True):
        end = span.fork + len(path.targets)
        reads = tuple(range(span.fork - 1, end - 1))
        scored = (ScoredPath(path.path, reads, path.targets),)
        alone = (Span(span.fork, end, span.fork),)
        rows.append(Row(tree.ids[: span.fork] + path.targets, tree.prompt, span.fork, alone, scored))
    return rows


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of tokens that two sequences share from the start."""
    for length, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return length
    return min(len(first), len(second))


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
