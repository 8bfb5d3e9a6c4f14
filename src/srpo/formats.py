"""Ways in which models write their reasoning, read into one form: named steps, then the answer.

Every reading is lossless: `read_path(text, path_format).text == text` for every text.  What is not clear is not
guessed at: a text that breaks the rules of its format has no answer, or more than one, and so cannot be judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Final, Literal

from srpo.steps import ANSWER, MARKERS, STEP_NAMES, body, split
from srpo.types import ReasoningPath, Step

PathFormat = Literal["six_steps", "think", "list", "paragraphs", "auto"]
"""How a system writes its reasoning, see `read_path`."""

MOST_STEPS: Final = 100
"""No judge labels more steps than these in one reply, and a text that has more is not read into steps."""

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_BLANK_LINE: Final = re.compile(r"\n[^\S\n]*\n\s*")
_ANSWER_MARKER: Final = re.compile(r"^[*#_ \t]{0,8}(?:final )?answer[*_]{0,3}:[*_]{0,3}", re.IGNORECASE | re.MULTILINE)
_NUMBERED: Final = re.compile(r"^(?:\*\*|#{1,6} )?(?:step )?\d{1,3}[.):](?:\*\*)?(?=\s)", re.IGNORECASE | re.MULTILINE)
_BULLETED: Final = re.compile(r"^[-*+\u2022](?=\s)", re.MULTILINE)
_SIX_STEPS_MARKER: Final = re.compile(f"^(?:{'|'.join(map(re.escape, list(MARKERS.values())[:-1]))})", re.MULTILINE)


def read_path(text: str, path_format: PathFormat) -> ReasoningPath:
    """The steps of a text and its answer, with every character kept.

    Steps are named `step_1`, `step_2` and so on, the answer `answer`; tags and answer markers are pieces without a
    name.  `srpo.steps.answer` of the path is none if there is no answer, or more than one.

    - `six_steps`: `srpo.steps.split`, with the names of the six steps.
    - `think`: one block `<think>...</think>` and the answer after it.  Nothing but white space stands before the block;
      the opening tag may be missing, because chat templates often write it into the prompt.  The steps are the
      paragraphs of the block.  A block that is not closed has steps and no answer.  No tag, a tag too many, or text
      before the block leave the text whole, without steps or answer.
    - `list`: the steps are items that begin at the start of a line with `1.`, `1)`, `1:` or `Step 1:`, or with `-`,
      `*` or `+`; the first kind of mark that is found is the list's.  Text before the first item belongs to it.  The
      answer stands after a line's beginning `Answer:` or `Final answer:`, in any case, with or without asterisks;
      where there is none it is the last paragraph, if that is not indented and holds no item.  A text without items
      before the answer stays whole, without steps or answer.
    - `paragraphs`: the steps are what blank lines part.  The answer stands after such a beginning of a line, or else it
      is the last paragraph.  A text of one paragraph is an answer without steps.
    - `auto`: `six_steps` if a line begins with a marker of one of the six steps, else `think` if a tag stands in the
      text, else `list` if there are two items, else `paragraphs`.

    In `think`, `list` and `paragraphs`, a text of more than `MOST_STEPS` steps stays whole, without steps or answer.
    """
    return _READERS[_format_of(text) if path_format == "auto" else path_format](text)


def named_steps(path: ReasoningPath) -> tuple[Step, ...]:
    """The steps that a judge labels: those with a name, without the answer."""
    return tuple(step for step in path.steps if step.name not in (None, ANSWER))


def lead(path: ReasoningPath) -> str:
    """Words before the first step, without an opening tag; only six steps have such words."""
    first = path.steps[0] if path.steps else Step(name=None, text="")
    return "" if first.name else first.text.strip().removeprefix(_OPEN).strip()


def readable_steps(path: ReasoningPath) -> bool:
    """Whether the steps can be judged: there are some, none is empty, and six steps are just the six in their order."""
    steps = named_steps(path)
    names = tuple(step.name for step in steps)
    in_order = names == STEP_NAMES or not set(STEP_NAMES) & set(names)
    return bool(steps) and in_order and all(body(step) for step in steps)


def _format_of(text: str) -> PathFormat:
    if _SIX_STEPS_MARKER.search(text):
        return "six_steps"  # even if not well formed: else its last step would pass for an answer
    if _OPEN in text or _CLOSE in text:
        return "think"
    return "list" if len(_items(text, len(text))) > 1 else "paragraphs"


def _think(text: str) -> ReasoningPath:
    opens, closes = text.count(_OPEN), text.count(_CLOSE)
    stripped = text.lstrip()
    begin = len(text) - len(stripped) + len(_OPEN) if opens else 0
    if opens + closes == 0 or opens > 1 or closes > 1 or (opens and not stripped.startswith(_OPEN)):
        return _pieces([(None, text)])
    end = text.find(_CLOSE) if closes else len(text)
    steps = _numbered(text, begin, _paragraphs(text, begin, end), end)
    tail: list[_Piece] = [(None, _CLOSE), (ANSWER, text[end + len(_CLOSE) :])] if closes else []
    return _pieces([(None, text[:begin]), *steps, *tail])


def _list(text: str) -> ReasoningPath:
    reasoning, tail = _cut_answer(text)
    items = _items(text, reasoning)
    if not items:
        return _pieces([(None, text)])
    last = _last_paragraph(text)
    if not tail and last > items[-1] and text[last - 1] == "\n":
        reasoning, tail = last, [(ANSWER, text[last:])]
    return _pieces([*_numbered(text, 0, [0, *items[1:]], reasoning), *tail])


def _free(text: str) -> ReasoningPath:
    reasoning, tail = _cut_answer(text)
    if not tail:
        reasoning = _last_paragraph(text)
        tail = [(ANSWER, text[reasoning:])]
    return _pieces([*_numbered(text, 0, _paragraphs(text, 0, reasoning), reasoning), *tail])


_READERS: Final[dict[PathFormat, Callable[[str], ReasoningPath]]] = {
    "six_steps": split,
    "think": _think,
    "list": _list,
    "paragraphs": _free,
}

_Piece = tuple[str | None, str]
"""Name and text."""


def _pieces(pieces: list[_Piece]) -> ReasoningPath:
    """A path of these pieces; empty ones without a name are left out, an empty answer stays one."""
    if sum(name not in (None, ANSWER) for name, _ in pieces) > MOST_STEPS:
        pieces = [(None, "".join(text for _, text in pieces))]
    return ReasoningPath(steps=tuple(Step(name=name, text=text) for name, text in pieces if text or name))


def _cut_answer(text: str) -> tuple[int, list[_Piece]]:
    """Where the reasoning ends, and markers and answers after it: none, one, or two if it is not clear."""
    hits = list(islice(_ANSWER_MARKER.finditer(text), 2))
    if not hits:
        return len(text), []
    ends = [hit.start() for hit in hits[1:]] + [len(text)]
    tail: list[_Piece] = []
    for hit, end in zip(hits, ends, strict=True):
        tail += [(None, hit.group()), (ANSWER, text[hit.end() : end])]
    return hits[0].start(), tail


def _items(text: str, end: int) -> list[int]:
    """Where the items of the list begin: those of the kind that comes first."""
    found = [[hit.start() for hit in kind.finditer(text, 0, end)] for kind in (_NUMBERED, _BULLETED)]
    return min((starts for starts in found if starts), key=lambda starts: starts[0], default=[])


def _paragraphs(text: str, begin: int, end: int) -> list[int]:
    """Where the paragraphs begin: `begin`, and after every blank line that words follow."""
    words_begin = end - len(text[begin:end].lstrip())
    later = [hit.end() for hit in _BLANK_LINE.finditer(text, words_begin, end) if hit.end() < end]
    return [begin, *later] if text[begin:end].strip() else []


def _last_paragraph(text: str) -> int:
    """Where the last paragraph with words begins."""
    return (_paragraphs(text, 0, len(text)) or [0])[-1]


def _numbered(text: str, begin: int, starts: list[int], end: int) -> list[_Piece]:
    """Steps from each start to the next; without a start, the stretch has no words and no name."""
    if not starts:
        return [(None, text[begin:end])]
    return [(f"step_{i}", text[a:b]) for i, (a, b) in enumerate(zip(starts, [*starts[1:], end], strict=True), 1)]
