"""The page of the study: what stands between its marks is made anew, the rest is written by people."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from srpo.errors import DataError
from srpo.records import write_text
from srpo.study.drawings import all_drawings, strokes
from srpo.study.schedule import Study
from srpo.study.tables import Read, all_tables, curves

BEGIN: Final = "<!-- tables -->"
END: Final = "<!-- /tables -->"
"""Marks on the page."""


def write_page(study: Study, page: Path) -> None:
    """Put the tables between the marks of a page, or make one; figures lie beside it.

    Raises DataError if the page has no marks.
    """
    read = Read(study.settings, study.results)
    drawings = all_drawings(read)
    folder = page.parent / "figures"
    for name, text in drawings.items():
        write_text(folder / f"study-{name}", text)
    made = render_tables(read, tuple(drawings))
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {study.settings.title}\n\n{BEGIN}\n{END}\n"
    if BEGIN not in old or END not in old:
        raise DataError(f"{page}: has no lines {BEGIN} and {END}; put them where the tables belong")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    write_text(page, f"{before}{BEGIN}\n\n{made}\n{END}{after}")


def render_tables(read: Read, drawings: tuple[str, ...]) -> str:
    """All tables and figures that are computed, as Markdown."""
    tables = all_tables(read)
    if not tables:
        return "No run is finished yet.\n"
    parts = [table.markdown() for table in tables]
    names = [read.study.methods[name].label for name in curves(read)]
    for name in drawings:
        over = name.partition("-")[0]
        words = "Methods" if name == "methods.svg" else f"Over {over} ({strokes(names)})"
        parts.append(f"![{words}](figures/study-{name})\n")
    return "\n".join(parts)
