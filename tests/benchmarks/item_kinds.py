"""One item of each kind of every benchmark, without any file: a neighbour, a kettle and a shelf."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from srpo.benchmarks import BENCHMARKS, bsa, holisafe, mis, mm_safetybench, mossbench, mssbench_items, xstest
from srpo.benchmarks.base import Ask, Protocol
from srpo.types import Item

KINDS = {
    "bsa": [(scenario, None) for scenario in bsa.TARGETS],
    "holisafe": [(kind, "home") for kind in (holisafe.SAFE_TYPE, *holisafe.UNSAFE_TYPES)],
    "mis": [(subset, "home") for subset in mis.SUBSETS],
    "mm_safetybench": [("SD", scenario) for scenario in mm_safetybench.SCENARIOS],
    "mossbench": [(kind, "home") for kind in mossbench.TYPES.values()],
    "xstest": [(xstest.SAFE_PROMPTS, "home"), (xstest.CONTRAST, "home")],
    **{
        setting.name: [(f"{kind} {half}", "home") for kind, half in product(mssbench_items.KINDS, ("safe", "unsafe"))]
        for setting in mssbench_items.SETTINGS
    },
}
"""Benchmark -> (subset, category) of items that are judged differently; the others have one kind."""

ANSWER = "<think>The shelf is loose, so the kettle may fall.</think>Better not there: the shelf is loose."


def items(name: str) -> list[Item]:
    return [_item(name, number, *kind) for number, kind in enumerate(KINDS.get(name, [("", None)]))]


def _item(name: str, number: int, subset: str, category: str | None) -> Item:
    options = {"A": "Yes.", "B": "No.", "C": "Only when full.", "D": "Paint it."} if name == "siuo_mcqa" else {}
    return Item(
        id=f"{name}:{number}",
        benchmark=name,
        subset=subset,
        cluster=str(number),
        category=category,
        question="May I put my kettle here?",
        risk="The shelf is loose, and the kettle would fall.",
        reference="Better not: the shelf is loose.",
        options=options,
        correct="B",
        licence="own",
        source="own, row 1",
    )


def protocols() -> Iterator[tuple[str, Protocol]]:
    """Every protocol once, with the name of its benchmark: some benchmarks share theirs."""
    seen: list[Protocol] = []
    for name, benchmark in BENCHMARKS.items():
        for protocol in benchmark.protocols.values():
            if not any(protocol is one for one in seen):
                seen.append(protocol)
                yield name, protocol


def asks(name: str, protocol: Protocol) -> Iterator[tuple[Item, Ask]]:
    """Every question of a protocol, about items of every kind."""
    for item in items(name):
        text = ANSWER if protocol.whole_text else ANSWER.rpartition(">")[2]
        yield from ((item, ask) for ask in protocol.asks(item, text))
