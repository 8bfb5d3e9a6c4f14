"""Branches labelled otherwise than by the safety and the effect of their reply.

By the whole path: SRPO labels a branch by its reply alone, so a reply that is right by chance makes wrong reasoning
favourable.  Here the oracle reads the reasoning too, and what is wrong in either makes a branch unfavourable.  By
safety alone: a refusal or a false warning is favourable, too.  In harmless cells nothing is unsafe then, so they have
no contrasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from srpo.explore import ContrastConfig, build_contrasts
from srpo.judge.base import JudgeItem
from srpo.study.teaching import Explored
from srpo.types import Tree, Verdict
from srpo.world.oracle import OracleJudge


def relabelled(found: Explored, label: Literal["path", "safety"], config: ContrastConfig, seed: int) -> Explored:
    """The same trees with other verdicts, and the contrasts of these."""
    of_tree = {"path": _whole_verdicts, "safety": _safety_verdicts}[label]
    verdicts = {tree.id: list(of_tree(found, tree)) for tree in found.trees}
    contrasts = [
        contrast
        for tree in found.trees
        for contrast in build_contrasts(tree, verdicts[tree.id], found.samples[tree.sample], config, seed=seed)[0]
    ]
    return replace(found, verdicts=verdicts, contrasts=contrasts)


def _safety_verdicts(found: Explored, tree: Tree) -> Iterator[Verdict]:
    """The verdicts on replies, in which all that is safe is effective as well."""
    for verdict in found.verdicts.get(tree.id, ()):
        yield verdict.model_copy(update={"effective": True}) if verdict.safe else verdict


def _whole_verdicts(found: Explored, tree: Tree) -> Iterator[Verdict]:
    """The verdicts on replies, unsafe where the reasoning is not right, failed where it cannot be read."""
    replies = {verdict.node: verdict for verdict in found.verdicts.get(tree.id, ()) if verdict.node is not None}
    items = [
        JudgeItem(
            subject=tree.id,
            node=node,
            sample=found.samples[tree.sample],
            folder=found.folder,
            part="path",
            text=tree.walk(node),
            truncated=tree.nodes[node].finish == "length",
        )
        for node in replies
    ]
    for reply, path in zip(replies.values(), OracleJudge().judge(items), strict=True):
        if reply.failure is not None or (path.failure is None and path.safe and path.effective):
            yield reply
        elif path.failure is not None:
            yield reply.model_copy(update={"safe": None, "effective": None, "failure": path.failure})
        else:
            yield reply.model_copy(update={"safe": False})
