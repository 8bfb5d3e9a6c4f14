"""Trees and verdicts to contrasts: which branches of one prefix teach against each other, and how many there are.

All unique (favourable, unfavourable) combinations under one prefix, as in RPO (arXiv:2410.10858); the caps,
the drawing and the third state are our choices.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

from pydantic import Field

from srpo.errors import DataError
from srpo.explore.credit import Value, credit_weights, value_of
from srpo.explore.outcome import HazardRefusal, outcome
from srpo.records import seed_of
from srpo.types import Cell, Contrast, Outcome, Record, Sample, Tree, Verdict

Kind = Literal["hazard", "benign", "all"]


class ContrastConfig(Record):
    """How contrasts are chosen."""

    contrasts: Literal["all", "single"] = Field(default="all", description="every combination, or one per tree")
    max_per_prefix: int = Field(default=8, gt=0, description="contrasts kept per tree and prefix")
    hazard_refusal: HazardRefusal = Field(
        default="neutral", description="label of a safe but unhelpful reply to a hazard"
    )
    credit: Literal["outcome", "step"] = Field(
        default="outcome",
        description="outcome = all contrasts weigh the same; step = by the credit of the step after the prefix",
    )


class PrefixYield(Record):
    """What exploration gave at one prefix.  The four outcomes count unique branches and add up to `unique`."""

    prefix: int = Field(ge=0, description="number of reference steps before the branches")
    kind: Kind
    branches: int = Field(default=0, ge=0, description="sampled, duplicates included")
    unique: int = Field(default=0, ge=0)
    favourable: int = Field(default=0, ge=0)
    unfavourable: int = Field(default=0, ge=0)
    neutral: int = Field(default=0, ge=0)
    missing: int = Field(default=0, ge=0)
    available: int = Field(default=0, ge=0, description="contrasts in which both sides have tokens of their own")
    kept: int = Field(default=0, ge=0, description="contrasts drawn from them, before credit is looked at")
    tokens: int = Field(default=0, ge=0, description="sampled, of all branches; 0 over text-only servers")


_COUNTS = tuple(name for name in PrefixYield.model_fields if name not in ("prefix", "kind"))


class _Branch(NamedTuple):
    """A unique branch: the node that stands for it, its tokens (or characters) and its outcome."""

    node: int
    tokens: Sequence[int] | str
    outcome: Outcome


def build_contrasts(
    tree: Tree, verdicts: Iterable[Verdict], sample: Sample, config: ContrastConfig | None = None, *, seed: int
) -> tuple[list[Contrast], list[PrefixYield]]:
    """Contrasts of one tree and the yield of each of its prefixes, in order of the prefix.

    Only verdicts on the answers of this tree's branches count; others in `verdicts` are passed over.  The
    draw hangs on (seed, tree, prefix) alone, not on the order of the verdicts or of the trees.

    Raises DataError if the tree is of another sample, a verdict names a node that is no branch, or a branch
    has two verdicts (choose one judge, or let a panel vote).
    """
    config = config or ContrastConfig()
    _check(tree, sample)
    outcomes = _outcomes(tree, verdicts, sample.cell, config.hazard_refusal)
    one_per_tree = config.contrasts != "all"
    contrasts: list[Contrast] = []
    yields: list[PrefixYield] = []
    for prefix in range(len(tree.trunk)):
        nodes = [node for node in tree.branches if tree.prefix(node) == prefix]
        unique = _unique(tree, nodes, outcomes)
        candidates = _candidates(unique)
        cap = config.max_per_prefix if not one_per_tree else int(not contrasts)
        kept = _draw(candidates, cap, seed_of(seed, tree.id, prefix))
        contrasts += [Contrast(tree=tree.id, prefix=prefix, chosen=good, rejected=bad) for good, bad in kept]
        tokens = sum(len(tree.nodes[node].token_ids or ()) for node in nodes)
        counts = {"branches": len(nodes), "available": len(candidates), "kept": len(kept), "tokens": tokens}
        yields.append(_prefix_yield(prefix, sample.cell, unique, counts))
    if config.credit == "step":
        contrasts = _weighted(contrasts, credit_weights(_values(tree, outcomes)))
    return contrasts, yields


def _values(tree: Tree, outcomes: dict[int, Outcome]) -> list[Value]:
    """Value of each prefix; repeated branches count, as they tell how likely a text is."""
    of_prefix: list[list[Outcome]] = [[] for _ in tree.trunk]
    for node, found in outcomes.items():
        of_prefix[tree.prefix(node)].append(found)
    return [value_of(found) for found in of_prefix]


def _weighted(contrasts: Sequence[Contrast], weights: Sequence[float]) -> list[Contrast]:
    """Contrasts with weights of mean 1; those of prefixes without credit fall away, unless all would."""
    kept = [contrast for contrast in contrasts if weights[contrast.prefix] > 0]
    if not kept:
        return list(contrasts)
    mean = sum(weights[contrast.prefix] for contrast in kept) / len(kept)
    return [contrast.model_copy(update={"weight": weights[contrast.prefix] / mean}) for contrast in kept]


def sum_yields(yields: Iterable[Sequence[PrefixYield]]) -> dict[Kind, list[PrefixYield]]:
    """Totals over trees, per prefix: all cells, hazard cells alone and benign cells alone."""
    totals: dict[tuple[Kind, int], dict[str, int]] = {}
    for row in (row for of_tree in yields for row in of_tree):
        kinds: tuple[Kind, ...] = ("all",) if row.kind == "all" else ("all", row.kind)
        for kind in kinds:
            total = totals.setdefault((kind, row.prefix), dict.fromkeys(_COUNTS, 0))
            for name in _COUNTS:
                total[name] += getattr(row, name)
    summed: dict[Kind, list[PrefixYield]] = {"all": [], "hazard": [], "benign": []}
    for kind, prefix in sorted(totals):
        summed[kind].append(PrefixYield(prefix=prefix, kind=kind, **totals[kind, prefix]))
    return summed


def _check(tree: Tree, sample: Sample) -> None:
    if tree.sample != sample.id:
        raise DataError(f"tree {tree.id} belongs to sample {tree.sample}, not to {sample.id}; pass its own sample")


def _outcomes(tree: Tree, verdicts: Iterable[Verdict], cell: Cell, hazard_refusal: HazardRefusal) -> dict[int, Outcome]:
    """Outcome of every branch; one that was cut off, failed or was not judged is missing."""
    branches = set(tree.branches)
    judged: dict[int, Verdict] = {}
    for verdict in verdicts:
        if verdict.subject != tree.id or verdict.part != "answer":
            continue
        if verdict.node is None or verdict.node not in branches:
            raise DataError(
                f"tree {tree.id}: a verdict of {verdict.judge} names node {verdict.node}, which is no branch"
            )
        if verdict.node in judged:
            judges = f"{judged[verdict.node].judge} and {verdict.judge}"
            raise DataError(f"tree {tree.id}, branch {verdict.node}: two verdicts on the answer ({judges}); keep one")
        judged[verdict.node] = verdict
    whole = {node for node in judged if tree.nodes[node].finish not in ("length", "error")}
    return {
        node: outcome(judged[node], cell, hazard_refusal=hazard_refusal) if node in whole else "missing"
        for node in branches
    }


def _unique(tree: Tree, nodes: Sequence[int], outcomes: dict[int, Outcome]) -> list[_Branch]:
    """Branches with different tokens (different text, if any branch has no ids), in order of their first node."""
    by_ids = all(tree.nodes[node].token_ids is not None for node in nodes)
    alike: dict[Sequence[int] | str, list[int]] = {}
    for node in nodes:
        ids = tree.nodes[node].token_ids
        alike.setdefault(ids if by_ids and ids is not None else tree.nodes[node].text, []).append(node)
    return [_branch(same, tokens, outcomes) for tokens, same in alike.items()]


def _branch(same: Sequence[int], tokens: Sequence[int] | str, outcomes: dict[int, Outcome]) -> _Branch:
    """Equal branches as one: the first whose own verdict gives the label, so that a contrast can be traced to it."""
    agreed = _agreed(outcomes[node] for node in same)
    return _Branch(next((node for node in same if outcomes[node] == agreed), same[0]), tokens, agreed)


def _agreed(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of equal branches; missing when the judge gave the same text two outcomes."""
    judged = {one for one in outcomes if one != "missing"}
    return judged.pop() if len(judged) == 1 else "missing"


def _candidates(unique: Sequence[_Branch]) -> list[tuple[int, int]]:
    """(chosen, rejected) nodes that can be contrasted."""
    favourable = [branch for branch in unique if branch.outcome == "favourable"]
    unfavourable = [branch for branch in unique if branch.outcome == "unfavourable"]
    return [
        (good.node, bad.node)
        for good, bad in product(favourable, unfavourable)
        if not _fully_masked(good.tokens, bad.tokens)
    ]


def _fully_masked(a: Sequence[int] | str, b: Sequence[int] | str) -> bool:
    """True if one side has nothing left after the longest common prefix, so that nothing could be contrasted."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def _draw(candidates: Sequence[tuple[int, int]], cap: int, seed: int) -> list[tuple[int, int]]:
    """At most `cap` candidates, in their own order."""
    if len(candidates) <= cap:
        return list(candidates)
    return sorted(random.Random(seed).sample(candidates, cap))


def _prefix_yield(prefix: int, cell: Cell, unique: Sequence[_Branch], counts: dict[str, int]) -> PrefixYield:
    found = [branch.outcome for branch in unique]
    return PrefixYield(
        prefix=prefix,
        kind="hazard" if cell == "hazard" else "benign",
        unique=len(unique),
        favourable=found.count("favourable"),
        unfavourable=found.count("unfavourable"),
        neutral=found.count("neutral"),
        missing=found.count("missing"),
        **counts,
    )
