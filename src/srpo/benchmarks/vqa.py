"""A user's own questions about pictures with short answers: what training has cost in general ability.

There are no authors and no official protocol.  Answers are compared after the usual normalisation of visual question
answering (case, punctuation, articles, small numbers; compare arXiv:1505.00468), and no judge is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from srpo.benchmarks.base import LETTERS, Benchmark, Protocol, Rate, Reading
from srpo.benchmarks.counting import flag
from srpo.benchmarks.read import Row, Words, checked, read_csv, read_json_lines, source_of
from srpo.benchmarks.siuo_mcqa import chosen_letter
from srpo.errors import DataError
from srpo.types import Item

NAME: Final = "vqa"
BETWEEN: Final = "|"
"""Stands between answers that are all right."""

_LICENCE: Final = "the user's own"
_ARTICLES: Final = {"a", "an", "the"}
_NUMBERS: Final = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3})")
_MARKS: Final = re.compile(r"[^\w\s.:'%-]|(?<!\d)[.:]|[.:](?!\d)|(?<!\w)['-]|['-](?!\w)")
_LAST_STATED: Final = re.compile(r".*\banswer(?:\s+is|\s*:)\s*(.+)", re.IGNORECASE | re.DOTALL)
_YES_NO: Final = {"yes", "no"}


class _Own(Row):
    id_field: ClassVar[str | None] = "id"
    id: int | Words | None = None
    image: Words
    question: Words
    answer: Words | None = None
    answers: list[Words] | None = None
    options: list[Words] | dict[str, Words] | None = None
    category: Words | None = None


class _OwnCells(Row):
    """A row of a CSV file: answers that are all right stand in one cell, with `|` between them."""

    id_field: ClassVar[str | None] = "id"
    id: Words | None = None
    image: Words
    question: Words
    answer: Words
    category: str | None = None


def _load(path: Path, images: Path | None = None, *, check_images: bool = True) -> list[Item]:
    """`path` is a CSV file with the columns image, question and answer, or JSON lines with these fields.

    Optional are `id`, `category` and, in JSON lines, `answers` (a list instead of `answer`) and `options` (a list, or
    letter -> choice), where the answer is a letter or the words of one option.
    """
    if path.suffix.lower() == ".csv":
        rows = [_from_cells(row) for row in read_csv(path, _OwnCells)]
    elif path.suffix.lower() == ".jsonl":
        rows = read_json_lines(path, _Own)
    else:
        raise DataError(f"{path}: expected a file that ends in .csv or .jsonl; give that")
    return checked([_item(path, number, row) for number, row in enumerate(rows, 1)], path, images, check_images)


def _from_cells(row: _OwnCells) -> _Own:
    return _Own(
        id=row.id,
        image=row.image,
        question=row.question,
        answers=[answer.strip() for answer in row.answer.split(BETWEEN) if answer.strip()],
        category=row.category or None,
    )


def _item(path: Path, number: int, row: _Own) -> Item:
    place = f"{path}, row {number}" + (f" (id {row.id})" if row.id is not None else "")
    options = _options(place, row.options)
    return Item(
        id=f"{NAME}:{number if row.id is None else row.id}",
        benchmark=NAME,
        cluster=row.image,
        category=row.category,
        question=row.question,
        images=(row.image,),
        options=options,
        correct=BETWEEN.join(_right(place, row, options)),
        licence=_LICENCE,
        source=source_of(path, number),
    )


def _options(place: str, given: Sequence[str] | dict[str, str] | None) -> dict[str, str]:
    if not given:
        return {}
    named = given if isinstance(given, dict) else dict(zip(LETTERS, given, strict=False))
    if len(named) != len(given) or len(named) < 2 or not set(named) <= set(LETTERS):
        raise DataError(f"{place}, field options: expected 2 to {len(LETTERS)} choices A, B, ..., got {len(given)}")
    return dict(sorted(named.items()))


def _right(place: str, row: _Own, options: dict[str, str]) -> list[str]:
    """All right answers; with options the one letter."""
    found = row.answers if row.answers else [row.answer] if row.answer else []
    if not found:
        raise DataError(f"{place}: field answer is missing; write one, or a list in answers")
    if not options:
        bad = next((answer for answer in found if not normalised(answer) or BETWEEN in answer), None)
        if bad is not None:
            raise DataError(f"{place}, field answer: expected a short answer without {BETWEEN!r}, got {bad[:60]!r}")
        return found
    letters = [_letter_of(answer, options) for answer in found]
    if len(letters) != 1 or letters[0] is None:
        raise DataError(f"{place}, field answer: expected one letter or the words of one option, got {found}; mend it")
    return [letters[0]]


def _letter_of(answer: str, options: dict[str, str]) -> str | None:
    """The letter itself, or that of the only option with these words."""
    if answer in options:
        return answer
    found = [letter for letter, words in options.items() if normalised(words) == normalised(answer)]
    return found[0] if len(found) == 1 else None


def normalised(text: str) -> str:
    """Lower case, without articles and marks (those inside numbers and words stay), numbers to ten as digits."""
    plain = _THOUSANDS.sub("", text.casefold().replace("\u2019", "'"))
    words = _MARKS.sub(" ", plain).split()
    return " ".join(str(_NUMBERS.index(word)) if word in _NUMBERS else word for word in words if word not in _ARTICLES)


def is_right(item: Item, answer: str) -> bool | None:
    """Whether the answer is right; none if it chooses no letter, or neither or both of yes and no.

    An open answer is right if it, its last line, or what it last calls its answer has the words of a right answer.
    An empty answer is wrong.
    """
    if not answer.strip():
        return False
    right = (item.correct or "").split(BETWEEN)
    if item.options:
        letter = chosen_letter(answer, tuple(item.options)) or _letter_of(answer, item.options)
        return None if letter is None else letter == right[0]
    wanted = {normalised(one) for one in right}
    if wanted <= _YES_NO:
        said = _yes_or_no(answer)
        return None if said is None else said in wanted
    return any(normalised(part) in wanted for part in _stated(answer))


def _stated(answer: str) -> list[str]:
    """Where a short answer stands in a longer one."""
    text = answer.strip()
    named = _LAST_STATED.match(text)
    return [text, text.splitlines()[-1], *([named[1].splitlines()[0]] if named else [])]


def _yes_or_no(answer: str) -> str | None:
    """The first word if it is one of them, else the only one of them in the text."""
    words = normalised(answer).split()
    if words and words[0] in _YES_NO:
        return words[0]
    found = _YES_NO & set(words)
    return found.pop() if len(found) == 1 else None


def _gold(item: Item) -> str:
    right = (item.correct or "").split(BETWEEN)[0]
    return f"({right})" if item.options else right


def _wrong(item: Item) -> str | None:
    right = {normalised(one) for one in (item.correct or "").split(BETWEEN)}
    if item.options:
        return f"({next(letter for letter in item.options if letter != item.correct)})"
    if right <= _YES_NO:
        return next(iter(_YES_NO - right), None)
    return "I do not know."


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="Own questions about pictures",
    paper="none",
    licence=_LICENCE,
    load=_load,
    measures="ability",
    protocols={
        "v1": Protocol(
            "v1",
            {"accuracy": Rate(flag("correct"), "right answers")},
            asks=lambda item, answer: [],
            decide=lambda item, answer: Reading({"correct": is_right(item, answer)}),
            labels=("correct",),
            rule_only=True,
        )
    },
    gold=_gold,
    wrong=_wrong,
)
