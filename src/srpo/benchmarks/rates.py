"""Labels to rates, with the items that could not be judged counted and never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from srpo.benchmarks.base import Protocol, Rate
from srpo.benchmarks.counting import Unit, mean
from srpo.benchmarks.summary import summarise
from srpo.errors import DataError
from srpo.records import seed_of
from srpo.types import Item, Label, Metric
from srpo.types import Protocol as ProtocolName

UNNAMED: Final = "(none)"
"""Category of items without one."""

_MOST_SHOWN: Final = 3


def rates(labels: Sequence[Label], items: Sequence[Item], protocol: Protocol, seed: int) -> dict[str, Metric]:
    """Every rate of the protocol for one system, decoding and judge, by name.

    An item without a label counts as unscored.  Intervals are those of `srpo.benchmarks.counting.interval_of`.  Raises
    DataError if the labels are of several systems, decodings, judges or protocols, of an unknown item, or hold an
    item's repeat twice.
    """
    found = {name: units(labels, items, protocol, name) for name in protocol.rates}
    plain = {name: mean(part, seed_of(seed, name)) for name, part in found.items()}
    combined = {
        name: summarise([found[part] for part in summary.parts], summary.combine, seed_of(seed, name))
        for name, summary in protocol.summaries.items()
    }
    return plain | combined


def by_category(
    labels: Sequence[Label], items: Sequence[Item], protocol: Protocol, seed: int
) -> dict[str, dict[str, Metric]]:
    """The rates of each category, categories in alphabetical order; empty if no item has one.

    Rates that count no item of a category are left out there, and so are numbers made of them.  Raises DataError as
    `rates` does.
    """
    rows = _by_item(labels, items)
    parts: dict[str, list[Item]] = {}
    for item in items:
        parts.setdefault(item.category or UNNAMED, []).append(item)
    if list(parts) == [UNNAMED]:
        return {}
    found = {
        name: rates([label for item in part for label in rows.get(item.id, [])], part, protocol, seed)
        for name, part in sorted(parts.items())
    }
    return {
        name: {key: one for key, one in part.items() if _is_counted(key, part, protocol)}
        for name, part in found.items()
    }


def _is_counted(name: str, found: Mapping[str, Metric], protocol: Protocol) -> bool:
    parts = protocol.summaries[name].parts if name in protocol.summaries else (name,)
    return all(found[part].n + found[part].unscored for part in parts)


def values(
    labels: Sequence[Label], items: Sequence[Item], protocol: Protocol, rate: str
) -> dict[str, bool | float | None]:
    """Item id -> what the rate counts of it, none if it could not be judged: for paired comparisons and links.

    Raises DataError as `rates` does, and if the protocol has no such rate.
    """
    return {unit.item: unit.value for unit in units(labels, items, protocol, rate)}


def units(labels: Sequence[Label], items: Sequence[Item], protocol: Protocol, rate: str) -> list[Unit]:
    """What a rate counts, in the order of the items.  Raises DataError as `values` does."""
    if rate not in protocol.rates:
        raise DataError(f"unknown rate {rate!r} under {protocol.name}; known are {', '.join(protocol.rates)}")
    wanted = protocol.rates[rate]
    rows = _by_item(labels, items)
    kept = [item for item in items if protocol.dropped_together or _counts(wanted, item)]
    found = [_unit(rows.get(item.id, []), item, wanted) for item in kept]
    if protocol.dropped_together:
        found = _without_broken(found, [protocol.dropped_together(item) for item in kept])
    return [unit for unit, item in zip(found, kept, strict=True) if _counts(wanted, item)]


class Disagreement(NamedTuple):
    """How far two protocols read the same answers differently, by the value of a rate that both have.

    `share` is of the answers that both could judge; `pairs` counts (first value, second value) over all of them, with
    none for what could not be judged.
    """

    share: Metric
    pairs: Mapping[tuple[bool | float | None, bool | float | None], int]


def disagreement(
    official: Mapping[str, bool | float | None], v1: Mapping[str, bool | float | None], items: Sequence[Item], seed: int
) -> Disagreement:
    """Compares `values` of one rate under two protocols, item by item."""
    cluster = {item.id: item.cluster for item in items}
    found = [Unit(name, cluster[name], _differ(value, v1[name])) for name, value in official.items()]
    pairs = Counter((value, v1[name]) for name, value in official.items())
    return Disagreement(mean(found, seed_of(seed, "disagreement")), dict(pairs))


def disagreements(
    labels: Sequence[Label], items: Sequence[Item], protocols: Mapping[ProtocolName, Protocol], seed: int
) -> dict[str, Disagreement]:
    """The disagreement of `official` and `v1` in each rate that both have, for one system and decoding.

    Raises DataError as `rates` does, and if one protocol has not labelled an answer.
    """
    official, v1 = protocols["official"], protocols["v1"]
    parts = [[label for label in labels if label.protocol == name] for name in ("official", "v1")]
    answers = [{(label.item, label.repeat) for label in part} for part in parts]
    odd = sorted(answers[0] ^ answers[1])
    if odd:
        raise DataError(
            f"the two protocols do not label the same answers, such as to {odd[0][0]}; label all under both"
        )
    shared = [name for name in official.rates if name in v1.rates]
    return {
        name: disagreement(values(parts[0], items, official, name), values(parts[1], items, v1, name), items, seed)
        for name in shared
    }


def defects(labels: Sequence[Label]) -> dict[str, int]:
    """Name of a known defect of the authors' code -> number of labels that it decided."""
    return dict(sorted(Counter(note for label in labels for note in label.notes).items()))


def _by_item(labels: Sequence[Label], items: Sequence[Item]) -> dict[str, list[Label]]:
    """Labels of each item in the order of their repeats, checked to be of one kind."""
    runs = sorted({(label.system, label.decoding, label.judge, label.protocol) for label in labels})
    if len(runs) > 1:
        names = "; ".join("/".join(run) for run in runs[:_MOST_SHOWN])
        raise DataError(f"labels of several systems, decodings, judges or protocols: {names}; pass those of one")
    unknown = sorted({label.item for label in labels} - {item.id for item in items})
    if unknown:
        raise DataError(f"{len(unknown)} labels are of items that are not given, the first is {unknown[0]}; pass them")
    rows: dict[str, list[Label]] = {}
    for label in sorted(labels, key=lambda label: label.repeat):
        rows.setdefault(label.item, []).append(label)
    for name, found in rows.items():
        if len({label.repeat for label in found}) < len(found):
            raise DataError(f"{runs[0][0]}/{runs[0][1]}: item {name} has more than one label of one repeat")
    return rows


def _counts(rate: Rate, item: Item) -> bool:
    return not rate.subsets or item.subset in rate.subsets


def _unit(labels: Sequence[Label], item: Item, rate: Rate) -> Unit:
    found = [rate.value(label, item) for label in labels]
    return Unit(item.id, item.cluster, rate.over(found) if found else None)


def _without_broken(found: Sequence[Unit], together: Sequence[str]) -> list[Unit]:
    """No value for items that are dropped together with one without a value, of whatever subset that is."""
    broken = {name for unit, name in zip(found, together, strict=True) if unit.value is None}
    return [unit._replace(value=None) if name in broken else unit for unit, name in zip(found, together, strict=True)]


def _differ(first: bool | float | None, second: bool | float | None) -> bool | None:
    return None if first is None or second is None else first != second
