"""What every public benchmark is: a loader of the published file, and protocols that judge answers and make rates.

A stage knows only this file.  Each benchmark has a file of its own, which says where its definitions come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from typing import Protocol as Interface

from srpo.models.base import Message
from srpo.types import Item, Label, Measures
from srpo.types import Protocol as ProtocolName

Value = bool | int | str | None
"""One label: what it means is the protocol's affair, but none is always *could not judge*."""

Labels = Mapping[str, Value]


@dataclass(frozen=True)
class Reading:
    """Labels that were read, and the known defects of the authors' code that decided them."""

    labels: Labels
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """One question to a judge about one answer.

    `text` is a template: `{name}` stands for a text of `values`, and `{fence}` for a code that is in none of them
    (`srpo.prompts.fill`).  A user may give another template for `name` (`srpo.benchmarks.prompts`).  `read` turns the
    judge's reply into labels.  It raises `srpo.judge.parse.UnparsedReply` if the reply holds none; under `official` it
    may return what the authors' code makes of such a reply, and names the defect in `notes`.
    """

    name: str
    text: str
    images: tuple[str, ...]
    read: Callable[[str], Reading]
    max_new_tokens: int = 1024
    labels: tuple[str, ...] = ()
    """Names of the labels that `read` gives: those that are none if the call fails.  Empty = all of the protocol."""
    values: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Rate:
    """A rate over the labels of some items.

    `value` is a flag or a number per answer, none = could not judge.  `over` makes one value of an item's repeats
    (the first one by default).  `subsets` limits the rate to parts of the benchmark; empty = all.
    """

    value: Callable[[Label, Item], bool | float | None]
    words: str
    good: bool = True
    """False if a lower rate is better."""
    subsets: tuple[str, ...] = ()
    over: Callable[[Sequence[bool | float | None]], bool | float | None] = lambda values: values[0]


@dataclass(frozen=True)
class Summary:
    """A number made of rates, such as the mean over parts of the benchmark where each part counts alike."""

    parts: tuple[str, ...]
    """Names of rates of the same protocol."""
    combine: Callable[[Sequence[float]], float]
    """The values of the parts, in order, to the number."""
    words: str
    good: bool = True


@dataclass(frozen=True)
class Protocol:
    """How answers are judged, and what is counted.

    `decide` gives the labels of an answer that need no judge, or none; `asks` gives the questions for the others.
    The first of `rates` that counts an item is its headline.
    """

    name: ProtocolName
    rates: Mapping[str, Rate]
    asks: Callable[[Item, str], Sequence[Ask]]
    decide: Callable[[Item, str], Reading | None] = lambda item, answer: None
    dropped_together: Callable[[Item], str] | None = None
    """Names the items, such as a pair, that all leave the rates if one cannot be judged, as official code may do."""
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Names of all labels: what is none if the answer itself is missing."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Name of each `Ask` -> its template.  Their hash is part of the judge's name."""
    rule_only: bool = False
    """Whether `decide` reads every answer, so that no judge is needed."""
    ideal: Callable[[Item, bool], str] | None = None
    """What a judge that is never wrong replies of a right (true) and of a wrong answer, to any question about it; for
    `validate`, which does not play a protocol without."""
    whole_text: bool = False
    """Whether reasoning is judged as well; by default only what stands after it (`srpo.benchmarks.judge.said`)."""


class Loader(Interface):
    """Reads the published file of a benchmark."""

    def __call__(self, path: Path, images: Path | None = None, *, check_images: bool = True) -> list[Item]:
        """All items, in the order of the file.

        `path` is the file, or the folder that holds it under its published name.  `images` is the folder of pictures,
        or none to look beside the file.  Without `check_images` pictures need not be there: good for statistics and
        for `validate`, not for asking a model.  Raises DataError that names file, row and field.
        """
        ...


@dataclass(frozen=True)
class Benchmark:
    """A public benchmark whose files the user has."""

    name: str
    title: str
    paper: str
    licence: str
    load: Loader
    protocols: Mapping[ProtocolName, Protocol]
    gold: Callable[[Item], str | None]
    """An answer that is right by the authors' own reference, or none if the file has none; for `validate`."""
    wrong: Callable[[Item], str | None]
    """An answer that is wrong; for `validate`."""
    measures: Measures = "safety"
    """A report warns of safety beside which nothing measures over-refusal."""
    training_forbidden: bool = False
    known_defects: Mapping[str, str] = field(default_factory=dict)
    """Name (as in `Label.notes`) -> what the authors' code does; documented in `docs/benchmarks.md`."""


LETTERS: Final = "ABCDEFGHIJ"


def render_item(item: Item) -> tuple[Message, ...]:
    """One user turn with the item's pictures, its question, and its choices if it has any."""
    choices = [f"{letter}. {text}" for letter, text in item.options.items()]
    lines = [item.question, *choices, *(["Answer with the letter of the right choice."] if choices else [])]
    return (Message(role="user", text="\n".join(lines), images=tuple(Path(image) for image in item.images)),)
