"""Trees that grow by outcomes: what is asked, what is spared, what a resumed run repeats."""

from __future__ import annotations

from collections import Counter

import pytest
from test_branch import FOLDER, SEGMENTS, CountingModel, grow, make_sample

from srpo.errors import ConfigError, ModelError
from srpo.explore.branch import Exploration, branch_requests
from srpo.explore.growth import explore
from srpo.judge.base import JudgeItem
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.types import Outcome, Tree


def coin(request: Request) -> str:
    """Two kinds of text from prefix 3 on, one kind before."""
    return f"{'good' if request.seed % 2 and len(request.prefix) >= 3 else 'bad'} {request.seed % 5}"


def label(items: list[JudgeItem]) -> list[Outcome]:
    return ["favourable" if "good" in item.text.rpartition("answer")[2] else "unfavourable" for item in items]


def grown(names: str, budget: str, most: int = 8, batch: int = 2) -> list[Tree]:
    settings = Exploration(budget=budget, branches_per_prefix=most, samples_per_batch=batch)
    trees: list[Tree] = []
    assert explore(map(make_sample, names), ScriptedModel(coin), FOLDER, settings, trees.append, label=label) == []
    return trees


def branches(tree: Tree) -> Counter[int]:
    return Counter(map(tree.prefix, tree.branches))


def test_one_of_each_samples_on_only_where_a_kind_is_missing():
    tree = grown("a", "one_of_each")[0]
    assert all(branches(tree)[prefix] == 8 for prefix in range(3))
    for prefix in range(3, SEGMENTS):
        texts = [tree.nodes[node].text[:3] for node in tree.branches if tree.prefix(node) == prefix]
        assert len(texts) == 8 or (len(set(texts)) == 2 and len(set(texts[:-1])) == 1)


def test_adaptive_spends_where_outcomes_are_mixed():
    mixed = sum((branches(tree) for tree in grown("abcdefgh", "adaptive")), Counter[int]())
    alike: list[Tree] = []
    settings = Exploration(budget="adaptive", branches_per_prefix=8)
    model = ScriptedModel(lambda request: f"bad {request.seed % 5}")
    explore(map(make_sample, "abcdefgh"), model, FOLDER, settings, alike.append, label=label)
    assert sum(mixed.values()) > 3 * sum(len(tree.branches) for tree in alike) > 0
    assert mixed[0] + mixed[1] == 0 and min(mixed[prefix] for prefix in range(3, SEGMENTS)) > 8


@pytest.mark.parametrize("budget", ["one_of_each", "adaptive"])
def test_a_tree_does_not_depend_on_its_batch(budget):
    assert grown("abcde", budget, batch=5) == grown("abcde", budget, batch=2)
    assert grown("cd", budget) == grown("abcd", budget)[2:]


def test_branches_are_the_first_ones_of_the_fixed_budget():
    fixed = {(r.prefix, r.seed) for r in branch_requests(make_sample(), FOLDER, Exploration(branches_per_prefix=8))}
    tree = grown("s", "adaptive")[0]
    path = [step.text for step in make_sample().reference.steps]
    found = [(tuple(path[: tree.prefix(node)]), tree.nodes[node].seed) for node in tree.branches]
    assert len(set(found)) == len(found) and set(found) <= fixed


def test_nodes_are_judged_under_their_number_in_the_tree():
    seen: dict[tuple[str, int | None], str] = {}

    def remember(items: list[JudgeItem]) -> list[Outcome]:
        seen.update({(item.subject, item.node): item.text for item in items})
        return label(items)

    settings, trees = Exploration(budget="adaptive"), list[Tree]()
    explore([make_sample()], ScriptedModel(coin), FOLDER, settings, trees.append, label=remember)
    assert seen == {(trees[0].id, node): trees[0].walk(node) for node in trees[0].branches}


def test_progress_reaches_the_whole_when_branches_are_spared():
    counted: list[int] = []
    settings = Exploration(budget="adaptive", branches_per_prefix=8)
    explore([make_sample()], ScriptedModel(coin), FOLDER, settings, lambda tree: None, counted.append, label)
    assert sum(counted) == 8 * SEGMENTS


def test_a_budget_that_goes_by_outcomes_needs_a_judge():
    with pytest.raises(ConfigError, match="which needs a judge"):
        grow([make_sample()], CountingModel(), Exploration(budget="adaptive"))


def test_a_tree_may_lack_the_branches_that_are_allowed_to_fail():
    bad = branch_requests(make_sample(), FOLDER, Exploration())[3].id

    def answer(request: Request) -> str:
        if request.id == bad:
            raise ModelError("no answer")
        return "text"

    trees, failures = grow([make_sample()], ScriptedModel(answer), Exploration(max_failed_branches=1))
    assert failures == [] and len(trees[0].branches) == 4 * SEGMENTS - 1
    assert len(trees[0].failures) == 1 and "no answer" in trees[0].failures[0]
