"""Rates by hand: values, intervals, what is unscored, repeats, clusters, and how far two protocols differ."""

from __future__ import annotations

import pytest

from srpo.benchmarks import by_category, defects, disagreements, rates, values
from srpo.benchmarks.base import Protocol, Rate, Summary
from srpo.benchmarks.counting import all_flags, flag, is_one_of
from srpo.benchmarks.repeats import all_true, majority, share
from srpo.errors import DataError
from srpo.types import Item, Label


def item(number: int, cluster: str | None = None, subset: str = "", category: str | None = None) -> Item:
    return Item(
        id=f"b:{number}",
        benchmark="b",
        subset=subset,
        cluster=cluster or str(number),
        category=category,
        question="?",
        licence="own",
        source="f, row 1",
    )


def label(of: Item, ok: bool | int | None, repeat: int = 0, **changes: object) -> Label:
    values = {
        "completion": f"{of.id}/{repeat}",
        "item": of.id,
        "benchmark": "b",
        "cluster": of.cluster,
        "system": "base",
        "decoding": "greedy",
        "repeat": repeat,
        "protocol": "v1",
        "judge": "j",
        "labels": {"ok": ok},
        "failure": "error" if ok is None else None,
    }
    return Label.model_validate({**values, **changes})


def protocol(**changes: object) -> Protocol:
    options = {"name": "v1", "rates": {"ok": Rate(flag("ok"), "ok")}, "asks": lambda item, answer: [], **changes}
    return Protocol(**options)


def test_a_rate_with_items_of_their_own_is_wilsons():
    items = [item(number) for number in range(168)]
    labels = [label(one, number < 85) for number, one in enumerate(items[:167])]
    found = rates([*labels, label(items[167], None)], items, protocol(), 0)["ok"]
    assert (found.n, found.unscored, found.method) == (167, 1, "wilson 95 %")
    assert found.value == pytest.approx(85 / 167)
    assert (found.low, found.high) == (pytest.approx(0.4338, abs=1e-4), pytest.approx(0.5837, abs=1e-4))


def test_items_that_share_a_cluster_are_drawn_together():
    items = [item(number, cluster=str(number // 2)) for number in range(40)]
    labels = [label(one, number % 4 < 2) for number, one in enumerate(items)]
    twice = rates(labels, items, protocol(), 0)["ok"]
    once = rates(labels[::2], items[::2], protocol(), 0)["ok"]
    assert twice.value == once.value == 0.5 and twice.method == "cluster bootstrap 95 %, 20 clusters"
    assert once.method == "wilson 95 %"
    assert twice.high - twice.low > 0.9 * (once.high - once.low)  # 40 rows tell no more than 20 clusters
    one = rates(labels[:2], items[:2], protocol(), 0)["ok"]
    assert (one.low, one.high, one.method) == (None, None, "no interval: one cluster")


def test_an_item_without_label_is_unscored_and_nothing_is_nothing():
    items = [item(1), item(2)]
    found = rates([label(items[0], True)], items, protocol(), 0)["ok"]
    assert (found.value, found.n, found.unscored) == (1.0, 1, 1)
    found = rates([], items, protocol(), 0)["ok"]
    assert (found.value, found.n, found.unscored, found.method) == (None, 0, 2, "nothing scored")


def test_numbers_have_an_interval_too():
    items = [item(number) for number in range(3)]
    score = Rate(lambda label, item: float(label.labels["ok"]), "score")
    labels = [label(one, value) for one, value in zip(items, (1, 0, -1), strict=True)]
    found = rates(labels, items, protocol(rates={"score": score}), 0)["score"]
    assert found.value == 0 and found.low == pytest.approx(-1) and found.high == pytest.approx(1)
    alike = rates([label(one, -1) for one in items], items, protocol(rates={"score": score}), 0)["score"]
    assert (alike.value, alike.low, alike.high) == (-1, None, None)


@pytest.mark.parametrize("shared", [1, 2])
def test_values_that_are_all_alike_are_no_certainty(shared):
    """Flags, all of k repeats, shares of k repeats: one rule, and none of them ends in [1, 1]."""
    items = [item(number, cluster=str(number // shared)) for number in range(20)]
    labels = [label(one, True, repeat) for one in items for repeat in range(5)]
    at = {
        "first": Rate(flag("ok"), ""),
        "all": Rate(flag("ok"), "", over=all_true),
        "1": Rate(flag("ok"), "", over=share),
    }
    found = rates(labels, items, protocol(rates=at), 0)
    assert {(one.value, one.high) for one in found.values()} == {(1.0, 1.0)}
    low = {1: 0.8389, 2: 0.7225}[shared]  # Wilson's for 20 of 20 items, or 10 of 10 clusters
    assert [one.low for one in found.values()] == [pytest.approx(low, abs=1e-4)] * 3


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [
        ([True, True, False], True),
        ([False, None, False], False),
        ([True, False], None),
        ([True, None], True),
        ([None, None], None),
    ],
)
def test_a_majority_of_repeats_a_tie_is_none(repeats, expected):
    assert majority(repeats) is expected
    one = item(1)
    labels = [label(one, value, repeat) for repeat, value in enumerate(repeats)]
    voting = protocol(rates={"ok": Rate(flag("ok"), "ok", over=majority)})
    assert values(labels[::-1], [one], voting, "ok") == {one.id: expected}
    assert values(labels[::-1], [one], protocol(), "ok") == {one.id: repeats[0]}  # the first repeat by default


def test_subsets_and_categories():
    items = [item(1, subset="a", category="x"), item(2, subset="b", category="y"), item(3, subset="b")]
    only = protocol(rates={"ok_b": Rate(flag("ok"), "ok", subsets=("b",)), "ok": Rate(flag("ok"), "ok")})
    labels = [label(one, number == 1) for number, one in enumerate(items)]
    assert rates(labels, items, only, 0)["ok_b"].value == 0.5
    found = by_category(labels, items, only, 0)
    assert {name: sorted(part) for name, part in found.items()} == {
        "(none)": ["ok", "ok_b"],
        "x": ["ok"],
        "y": ["ok", "ok_b"],
    }
    assert found["y"]["ok"].value == 1.0
    made = {"mean": Summary(("ok", "ok_b"), max, "")}
    with_summary = by_category(labels, items, protocol(rates=only.rates, summaries=made), 0)
    assert [name for name, part in with_summary.items() if "mean" in part] == ["(none)", "y"]
    assert by_category([], items, only, 0)["x"]["ok"].unscored == 1
    assert by_category(labels[2:], items[2:], only, 0) == {}  # one part without a name is no division
    with pytest.raises(DataError, match="of items that are not given, the first is b:3"):
        by_category(labels, items[:2], only, 0)


def test_one_missing_takes_its_pair_where_the_authors_do_so():
    items = [item(number, cluster=str(number // 2)) for number in range(4)]
    labels = [label(one, value) for one, value in zip(items, (True, None, True, False), strict=True)]
    assert rates(labels, items, protocol(), 0)["ok"].n == 3
    found = rates(labels, items, protocol(dropped_together=lambda item: item.cluster), 0)["ok"]
    assert (found.value, found.n, found.unscored) == (0.5, 2, 2)


def test_three_valued_flags():
    one = item(1)
    both = all_flags("ok", "well")
    cases = [(True, True, True), (True, False, False), (None, False, False), (None, True, None), (False, None, False)]
    assert [both(label(one, None, labels={"ok": ok, "well": well}), one) for ok, well, _ in cases] == [
        expected for *_, expected in cases
    ]
    kind = is_one_of("kind", "a", "b")
    found = [kind(label(one, None, labels={"kind": value}), one) for value in ("a", "c", None)]
    assert found == [True, False, None]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"system": "other"}, "several systems"),
        ({"judge": "other"}, "several systems"),
        ({"item": "b:9"}, "1 labels are of items that are not given, the first is b:9"),
        ({}, "item b:1 has more than one label of one repeat"),
    ],
)
def test_labels_that_do_not_belong_together_are_refused(change, problem):
    items = [item(1), item(2)]
    with pytest.raises(DataError, match=problem):
        rates([label(items[0], True), label(items[0], True, **change)], items, protocol(), 0)
    with pytest.raises(DataError, match="unknown rate 'nice' under v1; known are ok"):
        values([], items, protocol(), "nice")


def test_how_far_two_protocols_differ():
    items = [item(number) for number in range(4)]
    official = [label(one, ok, protocol="official", judge="o") for one, ok in zip(items, (1, 1, 0, 1), strict=True)]
    v1 = [label(one, ok) for one, ok in zip(items, (True, False, False, None), strict=True)]
    protocols = {"official": protocol(name="official"), "v1": protocol()}
    found = disagreements([*official, *v1], items, protocols, 0)["ok"]
    assert found.share.value == pytest.approx(1 / 3) and (found.share.n, found.share.unscored) == (3, 1)
    assert found.pairs == {(True, True): 1, (True, False): 1, (False, False): 1, (True, None): 1}
    with pytest.raises(DataError, match="do not label the same answers, such as to b:3"):
        disagreements([*official, *v1[:3]], items, protocols, 0)


def test_defects_are_counted():
    one = item(1)
    labels = [label(one, True, notes=("b",)), label(one, True, notes=("a", "b"))]
    assert defects(labels) == {"a": 1, "b": 2}
