"""The stages that ask models: query, reasoning, reflection, adjudication, cells.

Each takes some sets and gives one `Outcome` per set; none reads or writes a file (`srpo.building` does).
"""

from srpo.data.chain.adjudication import adjudicate, adjudicate_sets
from srpo.data.chain.cells import complete_sets
from srpo.data.chain.crew import Crew
from srpo.data.chain.items import CellItem, Dropped, Outcome, Waits
from srpo.data.chain.query import propose, set_id
from srpo.data.chain.reasoning import reason, reason_sets
from srpo.data.chain.reflection import reflect, reflect_sets

__all__ = [
    "CellItem",
    "Crew",
    "Dropped",
    "Outcome",
    "Waits",
    "adjudicate",
    "adjudicate_sets",
    "complete_sets",
    "propose",
    "reason",
    "reason_sets",
    "reflect",
    "reflect_sets",
    "set_id",
]
