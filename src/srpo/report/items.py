"""Every judged answer of a run, in the form that the browser of items reads: plain dictionaries for JSON.

An *item* is a sample or an item of a public benchmark.  A *row* is an item under one decoding, draw and probe, with the
answers of all systems side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from srpo.formats import PathFormat
from srpo.report.examples import Systems
from srpo.report.outcomes import RSBENCH, Marks, Outcomes, Place, Scale
from srpo.report.shell import show_hidden
from srpo.report.views import answer_view
from srpo.report.wording import clip
from srpo.types import CELLS, Completion, Item, Label, Result, Sample

_LONGEST: Final = 3000
"""Characters shown of one text."""
_UNJUDGED: Final = "unjudged"

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Completion, system, decoding."""

Source = Sample | Item
_Judgement = TypeVar("_Judgement", Result, Label)


@dataclass(frozen=True)
class Collection:
    """What a page of items shows.  `items[...]["pictures"]` are places in `pictures`, which holds paths."""

    systems: tuple[str, ...]
    scales: tuple[Scale, ...]
    items: list[Json]
    rows: list[Json]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class _Judged:
    """What was said of the answers."""

    results: Mapping[Key, Sequence[Result]]
    labels: Mapping[Key, Sequence[Label]]
    marks: Marks
    formats: Mapping[str, PathFormat]


@dataclass(frozen=True)
class Answers:
    """What a run holds: rows of its files, unchanged.  `items` and `labels` are those of public benchmarks."""

    samples: Sequence[Sample]
    completions: Sequence[Completion]
    results: Sequence[Result]
    items: Sequence[Item] = ()
    labels: Sequence[Label] = ()


def collect_items(answers: Answers, outcomes: Sequence[Outcomes] = (), systems: Systems = ()) -> Collection:
    """All answers that have a result or a label, by item in the order of the files, sets together.

    `systems` gives the columns, the baseline first; by default all systems in the order of the completions.  If an
    answer has several results (a panel and its judges), the first one is shown step by step and the others below it.
    """
    formats = dict(systems) if isinstance(systems, Mapping) else {}
    judged = _Judged(_by_key(answers.results), _by_key(answers.labels), Marks(outcomes), formats)
    shown = [c for c in answers.completions if _key(c) in judged.results or _key(c) in judged.labels]
    order = tuple(systems) or tuple(dict.fromkeys(c.system for c in shown))
    asked = {c.sample for c in shown}
    samples = _in_sets([s for s in answers.samples if s.id in asked])
    items = [i for i in answers.items if i.id in asked]
    paths: dict[str, int] = {}
    categories = {s.group: s.category for s in answers.samples if s.category}
    found = [_sample(s, categories.get(s.group, ""), paths) for s in samples] + [_item(i, paths) for i in items]
    rows = _rows([*samples, *items], found, [c for c in shown if c.system in order], order, judged)
    return Collection(tuple(map(_clean, order)), judged.marks.scales, found, rows, tuple(paths))


def _key(one: Completion | Result | Label) -> Key:
    return (one.id if isinstance(one, Completion) else one.completion), one.system, one.decoding


def _by_key(rows: Iterable[_Judgement]) -> dict[Key, list[_Judgement]]:
    found: dict[Key, list[_Judgement]] = {}
    for row in rows:
        found.setdefault(_key(row), []).append(row)
    return found


def _in_sets(samples: Sequence[Sample]) -> list[Sample]:
    first: dict[str, int] = {}
    for sample in samples:
        first.setdefault(sample.group, len(first))
    return sorted(samples, key=lambda s: (first[s.group], CELLS.index(s.cell)))


def _sample(sample: Sample, category: str, paths: dict[str, int]) -> Json:
    """`category` is that of the set: a benign cell has none of its own."""
    facts = {
        "Unsafe event": sample.hypothesis,
        "Reference reasoning and reply": sample.reference.text,
        "Rule": sample.rule,
    }
    return _described(facts, [] if sample.image is None else [sample.image.path], paths) | {
        "id": _clean(sample.id),
        "benchmark": RSBENCH,
        "group": _clean(sample.group),
        "split": _clean(sample.split),
        "cell": sample.cell,
        "category": _clean(category),
        "level": "" if sample.level is None else str(sample.level),
        "question": _clean(sample.question),
        "sensitive": sample.cell == "hazard",
    }


def _item(item: Item, paths: dict[str, int]) -> Json:
    facts = {
        "Risk, in the authors' words": item.risk,
        "Choices": "\n".join(f"{letter}. {text}" for letter, text in item.options.items()),
        "Right choice or answer": item.correct,
        "Reference reply": item.reference,
        "Source": f"{item.source}; licence {item.licence}",
    }
    return _described(facts, item.images, paths) | {
        "id": _clean(item.id),
        "benchmark": _clean(item.benchmark),
        "group": _clean(item.cluster),
        "split": _clean(item.subset),
        "cell": "",
        "category": _clean(item.category or ""),
        "level": "",
        "question": _clean(item.question),
        "sensitive": True,
    }


def _described(facts: Mapping[str, str | None], pictures: Iterable[str], paths: dict[str, int]) -> Json:
    """Facts that are known, and places of pictures; `paths` gives each picture one place for all items."""
    return {
        "facts": [[name, _clean(text)] for name, text in facts.items() if text],
        "pictures": [paths.setdefault(path, len(paths)) for path in pictures],
    }


def _rows(
    sources: Sequence[Source], items: list[Json], answers: Sequence[Completion], systems: Sequence[str], judged: _Judged
) -> list[Json]:
    """Rows in the order of the items; within one, plain answers before probes."""
    numbers = {source.id: number for number, source in enumerate(sources)}
    decodings = list(dict.fromkeys(one.decoding for one in answers))
    found: dict[tuple[int, str, int, int], Json] = {}
    for one in answers:
        if (number := numbers.get(one.sample)) is None:
            continue
        key = (number, one.probe or "", decodings.index(one.decoding), one.repeat)
        row = found.setdefault(key, _row(number, one, len(systems)))
        output = _output(one, _place(sources[number]), judged)
        row["outputs"][systems.index(one.system)] = output
        items[number]["sensitive"] |= output["reply"][1] == "unsafe"
    return [found[key] for key in sorted(found)]


def _row(number: int, one: Completion, systems: int) -> Json:
    outputs = [None] * systems
    return {
        "item": number,
        "decoding": _clean(one.decoding),
        "repeat": one.repeat,
        "probe": one.probe or "",
        "outputs": outputs,
    }


def _place(source: Source) -> Place:
    return Place(RSBENCH, source.group) if isinstance(source, Sample) else Place(source.benchmark, source.cluster)


def _output(completion: Completion, place: Place, judged: _Judged) -> Json:
    results = judged.results.get(_key(completion), ())
    result = results[0] if results else None
    view = answer_view(completion, result, judged.formats.get(completion.system, "six_steps"))
    told = [_told(_words(r), r.judge, r.failure) for r in results[1:]]
    told += [_label(label) for label in judged.labels.get(_key(completion), ())]
    return {
        "steps": [
            [_clean(s.name), _clean(s.title), _clean(s.text), s.kind if s.word else "", s.names_risk]
            for s in view.steps
        ],
        "reply": [_clean(view.reply.text), view.reply.kind if view.reply.word else "", view.reply.word],
        "notes": [_clean(note) for note in (*view.notes, *_reasons(result))],
        "marks": judged.marks.of(completion, place, result),
        "told": told,
        **_counted_over_hazards(result),
    }


def _reasons(result: Result | None) -> list[str]:
    """The judge's own words."""
    if result is None:
        return []
    said = {"reasoning": result.path_reason, "reply": result.answer_reason}
    return [f"Judge on the {part}: {text}" for part, text in said.items() if text]


def _counted_over_hazards(result: Result | None) -> dict[str, str]:
    """Keys of `first_failing_step`, `risk_steps` and `two_by_two` of the report, which count jointly unsafe items."""
    if result is None or result.cell != "hazard":
        return {"first": "", "risk": "", "pair": ""}
    first, risk = result.first_failing_step or _UNJUDGED, result.risk_step or _UNJUDGED
    return {"first": _clean(first), "risk": _clean(risk), "pair": _pair(result)}


def _pair(result: Result) -> str:
    if result.path_safe is None or result.answer_safe is None:
        return _UNJUDGED
    return f"path {_safe(result.path_safe)}, answer {_safe(result.answer_safe)}"


def _safe(flag: bool) -> str:
    return "safe" if flag else "unsafe"


def _words(result: Result) -> dict[str, bool | None]:
    names = ("path_safe", "path_effective", "answer_safe", "answer_effective", "declined")
    return {name.replace("_", " "): getattr(result, name) for name in names}


def _label(label: Label) -> Json:
    notes = [f"decided by a known defect: {note}" for note in label.notes]
    return _told(label.labels, f"{label.protocol}, {label.judge}", label.failure, notes, label.raw)


def _told(
    values: Mapping[str, bool | int | str | None],
    judge: str,
    failure: str | None,
    notes: Sequence[str] = (),
    raw: Sequence[str] = (),
) -> Json:
    """What one more judge says of an answer."""
    words = {None: "could not be judged", True: "yes", False: "no"}
    said = [(name, words[v] if v is None or isinstance(v, bool) else str(v)) for name, v in values.items()]
    return {
        "judge": _clean(judge),
        "values": [[_clean(name), _clean(value)] for name, value in said],
        "notes": [_clean(note) for note in ([f"could not judge: {failure}"] if failure else []) + list(notes)],
        "raw": [_clean(text) for text in raw],
    }


def _clean(text: str) -> str:
    return show_hidden(clip(text, _LONGEST))
