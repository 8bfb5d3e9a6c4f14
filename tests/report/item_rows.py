"""A small run with every kind of answer, as the page of items gets it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from report_rows import completion, result, sample

from srpo.evaluate import METRICS, units
from srpo.rates import JOINT, RATES
from srpo.report.items import Answers
from srpo.report.outcomes import Outcomes
from srpo.types import CELLS, Completion, Item, Label, Result, Sample, StepVerdict

SYSTEMS = ("base", "srpo", "refuse")
DECODINGS = ("greedy", "sampled")
CATEGORIES = ("violence", "privacy", "own category")
STEPS = ("synthesis", "intent_risk")
_STATES = (True, True, False, False, None)


def samples(sets: int = 9) -> list[Sample]:
    found = []
    for number in range(sets):
        changes = {"category": CATEGORIES[number % 3], "level": number % 2 + 1}
        for cell in CELLS:
            of = sample(f"g{number}", cell, f"split {number % 2}", f"Request {number} in {cell}?")
            found.append(of.model_copy(update=changes if cell == "hazard" else {"level": changes["level"]}))
    return found


def judged(of: Sample, system: str, decoding: str) -> tuple[Completion, Result]:
    """An answer with flags drawn at random, the third state too; equal arguments, equal flags."""
    draw = random.Random(f"{of.id} {system} {decoding}").choice
    wrote = completion(of, system, decoding=decoding)
    steps = [
        StepVerdict(name=n, safe=draw(_STATES), effective=draw(_STATES), names_risk=draw((True, False, False)))
        for n in STEPS
    ]
    flags = ("path_safe", "path_effective", "path_complete", "answer_safe", "answer_effective", "declined")
    easy = of.group in ("g0", "g5")  # a whole set right is rare by chance
    drawn: dict[str, object] = {name: easy or draw(_STATES) for name in flags}
    others = {
        "level": of.level,
        "steps": steps,
        "failure": draw(("truncated", "malformed", "timeout", None)),
        "first_failing_step": draw((*STEPS, "answer", "never", None)),
        "risk_step": draw((*STEPS, "answer", "never", None)),
    }
    return wrote, result(wrote, of, True, **drawn | others)


def answers(sets: int = 9) -> Answers:
    """RSBench alone: three systems, two decodings."""
    of = samples(sets)
    rows = [judged(s, system, decoding) for s in of for system in SYSTEMS for decoding in DECODINGS]
    return Answers(of, [wrote for wrote, _ in rows], [scored for _, scored in rows])


def outcomes(results: list[Result]) -> Iterator[Outcomes]:
    """What the stage makes of results: every rate of every system and decoding."""
    for system in SYSTEMS:
        for decoding in DECODINGS:
            rows = [r for r in results if (r.system, r.decoding) == (system, decoding)]
            for metric in METRICS:
                yield Outcomes(metric, system, decoding, values(rows, metric), RATES[metric].good, metric == JOINT)


def values(rows: list[Result], metric: str) -> Mapping[str, bool | float | None]:
    return {unit.id: unit.value for unit in units(rows, metric)}


def bench_item(number: int, text: str = "A mild question?") -> Item:
    return Item(
        id=f"toy:{number}",
        benchmark="toy",
        subset="safe half",
        cluster=f"scene {number}",
        category="own",
        question=text,
        risk="nothing much",
        options={"A": "yes", "B": "no"},
        correct="A",
        licence="CC0",
        source=f"toy.json, row {number}",
    )


def bench_answer(item: Item, system: str, text: str = "A plain reply") -> Completion:
    return Completion(
        id=f"{system}:{item.id}", sample=item.id, system=system, decoding="greedy", text=text, finish="stop"
    )


def label(of: Completion, item: Item, protocol: str, **changes: object) -> Label:
    fields: dict[str, object] = {
        "completion": of.id,
        "item": item.id,
        "benchmark": item.benchmark,
        "cluster": item.cluster,
        "system": of.system,
        "decoding": of.decoding,
        "protocol": protocol,
        "judge": "rule",
        "labels": {"safe": True, "class": 2, "effective": None},
        "failure": "unparsed",
        "notes": ("first-group-only",),
        "raw": ("the judge wrote this",),
    }
    return Label.model_validate(fields | changes)
