"""Does a benchmark score what it should?  Its right and wrong answers, played through its own judging and counting."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.benchmarks.base import Benchmark
from srpo.benchmarks.base import Protocol as BenchmarkProtocol
from srpo.benchmarks.judge import BenchmarkJudge
from srpo.benchmarks.rates import units
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.types import Completion, Item, Label, Protocol


def validate(benchmark: Benchmark, items: Sequence[Item], protocol: Protocol) -> list[str]:
    """What is wrong with the benchmark on these items; nothing is good.

    The right answer of each item must give the item's headline rate the good value, the wrong answer the other one.
    Where rules do not suffice, a scripted judge replies what a judge that is never wrong would; it first looks whether
    it was shown the answer.  A protocol that asks a judge and has no ideal reply is not played.
    """
    chosen = benchmark.protocols[protocol]
    if chosen.ideal is None and not chosen.rule_only:
        return []
    problems = []
    for right, answer_of in ((True, benchmark.gold), (False, benchmark.wrong)):
        answers = [(item, answer) for item in items if (answer := answer_of(item)) is not None]
        labels = [_label(chosen, item, answer, right) for item, answer in answers]
        problems += [
            f"{item.id}: its {'right' if right else 'wrong'} answer gets {problem}"
            for (item, _), label in zip(answers, labels, strict=True)
            if (problem := _problem(chosen, item, label, right))
        ]
    return problems


def _label(protocol: BenchmarkProtocol, item: Item, answer: str, right: bool) -> Label:
    ideal = protocol.ideal

    def reply(request: Request) -> str:
        shown = protocol.whole_text or answer.strip() in request.messages[0].text  # parts may go to several questions
        if ideal is None or not shown:
            raise ValueError("the judge was not shown the answer")
        return ideal(item, right)

    judge = BenchmarkJudge(protocol, None if protocol.rule_only else ScriptedModel(reply))
    return judge.label([(item, Completion(id=item.id, sample=item.id, text=answer, finish="stop"))])[0]


def _problem(protocol: BenchmarkProtocol, item: Item, label: Label, right: bool) -> str | None:
    """What the headline rate of the item is instead of what it should be."""
    rate = next((name for name, rate in protocol.rates.items() if item.subset in (rate.subsets or [item.subset])), None)
    if rate is None:
        return "no rate: none counts this item"
    value = units([label], [item], protocol, rate)[0].value
    if value is None:
        return f"no {rate} ({label.failure or 'no failure named'})"
    return None if bool(value) == (protocol.rates[rate].good == right) else f"{rate} {value}"
