"""From shared trees to what one method is taught: its references, its contrasts, its share of harmless cells."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srpo.errors import DataError
from srpo.explore import HazardRefusal, outcome
from srpo.records import seed_of
from srpo.steps import split
from srpo.study.settings import Teaching
from srpo.types import Contrast, Node, Outcome, Sample, Tree, Verdict


@dataclass(frozen=True)
class Lesson:
    """Trees with their contrasts; a tree without any teaches its trunk."""

    trees: tuple[Tree, ...]
    contrasts: tuple[Contrast, ...]
    samples: Mapping[str, Sample]
    folder: Path
    """Where the samples' pictures start from."""


@dataclass(frozen=True)
class Explored:
    """What all methods share."""

    samples: Mapping[str, Sample]
    trees: Sequence[Tree]
    verdicts: Mapping[str, Sequence[Verdict]]
    contrasts: Sequence[Contrast]
    folder: Path


def lesson_of(found: Explored, teaching: Teaching, seed: int) -> Lesson:
    """The trees to train on.  Raises DataError if nothing is left."""
    kept = [tree for tree in found.trees if _keeps(found.samples[tree.sample], teaching.benign_share)]
    ids = {tree.id for tree in kept}
    contrasts = [contrast for contrast in found.contrasts if contrast.tree in ids]
    if teaching.target == "answers":
        kept, contrasts = [only_reply(tree) for tree in kept], []
    elif teaching.target == "favourable":
        drawn = (favourable_path(tree, outcomes_of(found, tree), seed) for tree in kept)
        kept, contrasts = [tree for tree in drawn if tree is not None], []
    elif teaching.chosen != "sampled":
        made = [against_reference(tree, outcomes_of(found, tree)) for tree in kept]
        kept = [tree for tree, _ in made]
        own = contrasts if teaching.chosen == "both" else []
        contrasts = [*own, *(contrast for _, of_tree in made for contrast in of_tree)]
    elif teaching.whole_paths:
        kept = [with_whole_paths(tree) for tree in kept]
        contrasts = [contrast.model_copy(update={"prefix": 0}) for contrast in contrasts]
    if teaching.parting:
        kept, contrasts = _cut(kept, contrasts)
    if not kept:
        raise DataError(f"teaching {teaching.target}: no tree of {len(found.trees)} is left; sample more branches")
    return Lesson(tuple(kept), tuple(contrasts), found.samples, found.folder)


def outcomes_of(found: Explored, tree: Tree, hazard_refusal: HazardRefusal = "neutral") -> dict[int, Outcome]:
    """Branch -> outcome, of the branches that were judged and not cut off."""
    cell = found.samples[tree.sample].cell
    return {
        verdict.node: outcome(verdict, cell, hazard_refusal=hazard_refusal)
        for verdict in found.verdicts.get(tree.id, ())
        if verdict.node is not None and tree.nodes[verdict.node].finish == "stop"
    }


def only_reply(tree: Tree) -> Tree:
    """The tree of a reference that is its reply alone, without reasoning."""
    reply = tree.nodes[tree.trunk[-1]]
    return tree.model_copy(update={"nodes": (reply.model_copy(update={"parent": None}),)})


def favourable_path(tree: Tree, outcomes: Mapping[int, Outcome], seed: int) -> Tree | None:
    """The tree whose reference is a whole path that the model drew itself and that ended well; none if there is none.

    One of those from the empty prefix, which owe nothing to the reference.
    """
    good = [n for n, found in outcomes.items() if found == "favourable" and tree.prefix(n) == 0]
    texts = sorted({tree.nodes[n].text for n in good})
    if not texts:
        return None
    text = random.Random(seed_of("favourable", seed, tree.id)).choice(texts)
    steps = [step.text for step in split(text).steps]
    # Ids are left out: training encodes each step apart, as it does with references.
    nodes = tuple(Node(parent=i - 1 if i else None, text=t, sampled=False) for i, t in enumerate(steps))
    return tree.model_copy(update={"nodes": nodes})


def with_whole_paths(tree: Tree) -> Tree:
    """The tree whose branches all begin at the empty prefix: each holds its prefix, so that a contrast counts it."""
    trunk = [tree.nodes[index] for index in tree.trunk]

    def whole(index: int) -> Node:
        before = trunk[: tree.prefix(index)]
        node = tree.nodes[index]
        ids: tuple[int, ...] | None = None
        if node.token_ids is not None and all(step.token_ids is not None for step in before):
            ids = (*(i for step in before for i in step.token_ids or ()), *node.token_ids)
        return node.model_copy(update={"parent": None, "text": tree.walk(index), "token_ids": ids})

    return tree.model_copy(update={"nodes": (*trunk, *(whole(index) for index in tree.branches))})


def against_reference(tree: Tree, outcomes: Mapping[int, Outcome]) -> tuple[Tree, list[Contrast]]:
    """The tree with the rest of its reference as a branch of each prefix that has an unfavourable one, and contrasts.

    Different unfavourable branches, each against the reference; the other branches of the tree stay.
    """
    nodes, contrasts = list(tree.nodes), []
    for prefix in sorted({tree.prefix(n) for n, found in outcomes.items() if found == "unfavourable"}):
        rest = "".join(tree.nodes[index].text for index in tree.trunk[prefix:])
        bad = {tree.nodes[n].text: n for n, o in outcomes.items() if o == "unfavourable" and tree.prefix(n) == prefix}
        nodes.append(Node(parent=prefix - 1 if prefix else None, text=rest, sampled=True, finish="stop"))
        rejected = sorted(bad.values())
        contrasts += [Contrast(tree=tree.id, prefix=prefix, chosen=len(nodes) - 1, rejected=n) for n in rejected]
    return tree.model_copy(update={"nodes": tuple(nodes)}), contrasts


def until_they_part(tree: Tree, contrasts: Sequence[Contrast]) -> tuple[Tree, list[Contrast]]:
    """The tree with branches that end with the step in which the sides of a contrast part, and contrasts of these.

    Ids are left out: training encodes what is left of a branch anew.  Equal branches are one, as are equal contrasts.
    """
    nodes = [tree.nodes[index] for index in tree.trunk]
    places: dict[Node, int] = {}
    made: dict[tuple[int, int], Contrast] = {}
    for contrast in contrasts:
        sides = _first_difference(tree.nodes[contrast.chosen], tree.nodes[contrast.rejected])
        chosen, rejected = (places.setdefault(side, len(nodes) + len(places)) for side in sides)
        if chosen != rejected:
            update = {"chosen": chosen, "rejected": rejected}
            made.setdefault((chosen, rejected), contrast.model_copy(update=update))
    return tree.model_copy(update={"nodes": (*nodes, *places)}), list(made.values())


def _first_difference(chosen: Node, rejected: Node) -> tuple[Node, Node]:
    """Both up to the first step that is not the same."""
    own, other = ([step.text for step in split(node.text).steps] for node in (chosen, rejected))
    same = next((i for i, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), min(len(own), len(other)))
    return _shortened(chosen, own[: same + 1], len(own)), _shortened(rejected, other[: same + 1], len(other))


def _shortened(node: Node, steps: Sequence[str], all_steps: int) -> Node:
    """The node with so many of its steps; only a whole text ends with the end token."""
    finish = node.finish if len(steps) == all_steps else None
    return node.model_copy(update={"text": "".join(steps), "token_ids": None, "seed": None, "finish": finish})


def _cut(trees: Sequence[Tree], contrasts: Sequence[Contrast]) -> tuple[list[Tree], list[Contrast]]:
    """All trees and contrasts, cut where the sides part."""
    of_tree: dict[str, list[Contrast]] = {tree.id: [] for tree in trees}
    for contrast in contrasts:
        of_tree[contrast.tree].append(contrast)
    made = [until_they_part(tree, of_tree[tree.id]) for tree in trees]
    return [tree for tree, _ in made], [contrast for _, own in made for contrast in own]


def _keeps(sample: Sample, benign_share: float) -> bool:
    """Whether a sample is taught; which harmless ones are hangs on their id alone."""
    if sample.cell == "hazard" or benign_share >= 1:
        return True
    return random.Random(seed_of("benign", sample.id)).random() < benign_share
