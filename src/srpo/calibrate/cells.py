"""Cells of a table that spreadsheets open: texts of models must be no formulas there, and come back as they were."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"\s*'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""With one of these first a cell is a formula for spreadsheets; some count the wide ones, or pass over white space."""


def inert(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def original(cell: str) -> str:
    """The text of which `inert` made the cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
