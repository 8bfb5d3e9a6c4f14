"""Fifth stage: the three harmless cells.  Another request, another picture, and both, each as near as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from srpo.data.chain.adjudication import adjudicate
from srpo.data.chain.crew import Crew
from srpo.data.chain.items import CellItem, Dropped, Outcome, Waits, alive, ask_items, end_sets, outcomes
from srpo.data.chain.reasoning import reason
from srpo.data.chain.reflection import reflect
from srpo.types import Cell, Draft, DraftSet, Image, Source

Draw = Callable[[str], Source | Dropped | Waits]
"""A caption to a picture that was drawn of it."""


@dataclass(frozen=True)
class Pool:
    """Where harmless pictures come from."""

    nearest: Callable[[str], Sequence[Source]]
    """Id of a source -> the pictures to be tried, in order."""
    draw: Draw | None = None
    """Asked if none of them will do; none = the set is dropped then."""


@dataclass
class _Growing:
    """A set whose harmless cells are looked for."""

    text: CellItem
    """`benign_text`; its `end` is that of the set."""
    question: str
    """Of the hazard."""
    pictures: list[Source]
    caption: str = ""
    found: list[CellItem] = field(default_factory=list)
    """`benign_image` and `benign_both`, once a picture will do."""

    @property
    def is_open(self) -> bool:
        return self.text.end is None and not self.found


def complete_sets(crew: Crew, sets: Sequence[DraftSet], pool: Pool) -> list[Outcome]:
    """All four cells of each set, every harmless one with its path and its checks."""
    growing = [_begin(one, pool) for one in sets]
    _change_request(crew, growing)
    _try_pictures(crew, growing)
    if pool.draw is not None:
        _draw_pictures(crew, growing, pool.draw)
    for one in growing:
        if one.is_open:
            tried = f"none of {len(one.pictures)} pictures is harmless with both requests"
            one.text.end = Dropped("no_picture", tried)
    items = [item for one in growing for item in (one.text, *one.found)]
    end_sets(items)
    for step in (reason, reflect, partial(adjudicate, end=end_sets)):
        step(crew, items)
        end_sets(items)
    return outcomes("cells", sets, items)


def _begin(base: DraftSet, pool: Pool) -> _Growing:
    hazard = base.cells["hazard"]
    text = CellItem(base, _draft("benign_text", hazard.source, hazard.image, hazard.question))
    return _Growing(text, hazard.question, list(pool.nearest(hazard.source)))


def _draft(cell: Cell, source: str, image: Image, question: str) -> Draft:
    return Draft(
        cell=cell,
        source=source,
        image=image,
        question=question,
        category=None,
        hypothesis=None,
        safe_reply="",
        unsafe_reply=None,
    )


def _change_request(crew: Crew, growing: Sequence[_Growing]) -> None:
    """A harmless request for the picture of the hazard, and a reply to it."""
    by_item = {id(one.text): one for one in growing}
    items = [one.text for one in growing]
    asked = ask_items(
        crew, "counterpart", items, lambda item: crew.agents.counterpart(item.base.id, item.base.cells["hazard"])
    )
    for item, _, new in asked:
        item.change(question=new.question)
        by_item[id(item)].caption = new.caption
    for item, why in _reply(crew, items, 0):
        item.end = Dropped("counterpart", f"the request for the same picture is not harmless: {why}")


def _reply(crew: Crew, items: Sequence[CellItem], number: int) -> list[tuple[CellItem, str]]:
    """Write the replies of harmless pairs; returns the items that are not harmless, with the reason."""
    refused = []
    asked = ask_items(crew, "benign", items, lambda item: crew.agents.benign(item.base.id, item.draft, number))
    for item, _, found in asked:
        if found.harmless:
            item.change(safe_reply=found.reply)
        else:
            refused.append((item, found.reason))
    return refused


def _try_pictures(crew: Crew, growing: Sequence[_Growing]) -> None:
    """Try one picture after the other for every set that has none yet."""
    for number in range(crew.config.cells.candidates):
        trying = [one for one in growing if one.is_open and number < len(one.pictures)]
        if not trying:
            break
        _try(crew, [(one, one.pictures[number]) for one in trying], number)


def _draw_pictures(crew: Crew, growing: Sequence[_Growing], draw: Draw) -> None:
    """A picture made for the purpose, for every set whose pool had none."""
    drawn = []
    for one in growing:
        if one.is_open:
            found = draw(one.caption)
            if isinstance(found, Source):
                drawn.append((one, found))
            else:
                one.text.end = found
    _try(crew, drawn, crew.config.cells.candidates)


def _try(crew: Crew, pairs: Sequence[tuple[_Growing, Source]], number: int) -> None:
    """Ask whether a picture is harmless with the hazard's request, and if so with the other one; take it if both are.

    A reply that cannot be read is no yes: the next picture is tried.  A call that failed makes the set wait.
    """
    images, both = [], []
    for one, source in pairs:
        base, text = one.text.base, one.text.draft.question
        images.append(CellItem(base, _draft("benign_image", source.id, source.image, one.question)))
        both.append(CellItem(base, _draft("benign_both", source.id, source.image, text)))
    refused = {id(item) for item, _ in _reply(crew, images, number)}
    second = [b for i, b in zip(images, both, strict=True) if i.end is None and id(i) not in refused]
    refused |= {id(item) for item, _ in _reply(crew, second, number)}
    for (one, _), *items in zip(pairs, images, both, strict=True):
        if waits := next((item.end for item in items if isinstance(item.end, Waits)), None):
            one.text.end = waits
        elif len(alive(items)) == len(items) and not refused & set(map(id, items)):
            one.found = items
