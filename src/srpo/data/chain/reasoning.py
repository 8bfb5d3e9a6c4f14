"""Second stage: the six steps from picture and request to the reply."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.data.chain.crew import Crew
from srpo.data.chain.items import CellItem, Dropped, Outcome, ask_items, outcomes, path_of
from srpo.types import DraftSet


def reason_sets(crew: Crew, sets: Sequence[DraftSet]) -> list[Outcome]:
    """The hazard cell of each set gets its path."""
    items = [CellItem(one, one.cells["hazard"]) for one in sets]
    reason(crew, items)
    return outcomes("reasoning", sets, items)


def reason(crew: Crew, items: Sequence[CellItem]) -> None:
    """Write the six steps of each item that goes on."""
    asked = ask_items(crew, "reasoning", items, lambda item: crew.agents.reasoning(item.base.id, item.draft))
    for item, _, steps in asked:
        path = path_of(steps.bodies, item.draft.safe_reply)
        if path is None:
            item.end = Dropped("unreadable", "reasoning: the steps cannot be told apart")
        item.change(reference=path)
