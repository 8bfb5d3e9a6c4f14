"""References that are wrong: what imitation copies, and a judge of branches can still tell.

The reference of a hazard becomes a path that the base drew itself and that ended badly.  The branches that were drawn
after steps which the new reference does not have fall away, with their contrasts.
"""

from __future__ import annotations

import random
from dataclasses import replace

from srpo.records import seed_of
from srpo.steps import split, well_formed
from srpo.study.teaching import Explored, outcomes_of
from srpo.types import Node, Tree


def with_wrong_references(found: Explored, share: float, seed: int, drop: bool = False) -> Explored:
    """The trees, a share of the hazard cells with a wrong reference; what has no bad path of six steps stays right.

    With `drop` the trees whose reference would be wrong are left out.
    """
    trees, verdicts, contrasts = [], dict(found.verdicts), []
    of_tree = {tree.id: [c for c in found.contrasts if c.tree == tree.id] for tree in found.trees}
    for tree in found.trees:
        steps = _bad_path(found, tree, seed) if _is_chosen(found, tree, share, seed) else None
        if steps is None:
            trees.append(tree)
            contrasts += of_tree[tree.id]
        if steps is None or drop:
            continue
        spoiled, places = with_reference(tree, steps)
        trees.append(spoiled)
        verdicts[tree.id] = [
            verdict.model_copy(update={"node": places[verdict.node]})
            for verdict in found.verdicts[tree.id]
            if verdict.node in places
        ]
        contrasts += [
            contrast.model_copy(update={"chosen": places[contrast.chosen], "rejected": places[contrast.rejected]})
            for contrast in of_tree[tree.id]
            if contrast.chosen in places
        ]
    return replace(found, trees=trees, verdicts=verdicts, contrasts=contrasts)


def with_reference(tree: Tree, steps: tuple[str, ...]) -> tuple[Tree, dict[int, int]]:
    """The tree with another reference, and the places, old -> new, of the branches that still follow its steps."""
    old = [tree.nodes[index].text for index in tree.trunk]
    same = next((i for i, (a, b) in enumerate(zip(old, steps, strict=True)) if a != b), len(old))
    kept = [index for index in tree.branches if tree.prefix(index) <= same]
    trunk = [Node(parent=i - 1 if i else None, text=text, sampled=False) for i, text in enumerate(steps)]
    nodes = (*trunk, *(tree.nodes[index] for index in kept))
    return tree.model_copy(update={"nodes": nodes}), {old: len(trunk) + new for new, old in enumerate(kept)}


def _is_chosen(found: Explored, tree: Tree, share: float, seed: int) -> bool:
    sample = found.samples[tree.sample]
    return sample.cell == "hazard" and random.Random(seed_of("wrong", seed, sample.id)).random() < share


def _bad_path(found: Explored, tree: Tree, seed: int) -> tuple[str, ...] | None:
    """The steps of one of the whole paths that ended badly; none if there is none."""
    bad = [n for n, outcome in outcomes_of(found, tree).items() if outcome == "unfavourable" and tree.prefix(n) == 0]
    paths = [split(text) for text in sorted({tree.nodes[n].text for n in bad})]
    whole = [tuple(step.text for step in path.steps) for path in paths if well_formed(path)]
    return random.Random(seed_of("wrong path", seed, tree.id)).choice(whole) if whole else None
