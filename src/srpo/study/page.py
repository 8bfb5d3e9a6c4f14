"""The page of the study: what stands between its marks is made anew, the rest is written by people."""

from __future__ import annotations

from pathlib import Path

from srpo.errors import DataError
from srpo.records import write_text
from srpo.study.ablations import curves
from srpo.study.drawings import all_drawings, strokes
from srpo.study.places import MAIN, named
from srpo.study.read import Read
from srpo.study.schedule import Study
from srpo.study.tables import all_tables


def marks(study: str) -> tuple[str, str]:
    """Lines of a page between which the tables of a study stand."""
    name = named("tables", study, " ")
    return f"<!-- {name} -->", f"<!-- /{name} -->"


def write_page(study: Study, page: Path, name: str = MAIN) -> None:
    """Put the tables between the marks of the study of this name on a page, or make one; figures lie beside it.

    Raises DataError if the page has no such marks.
    """
    read = Read(study.settings, study.results)
    drawings = {f"{named('study', name)}-{file}": text for file, text in all_drawings(read).items()}
    for file, text in drawings.items():
        write_text(page.parent / "figures" / file, text)
    made = render_tables(read, tuple(drawings))
    begin, end = marks(name)
    old = page.read_text(encoding="utf-8") if page.exists() else f"# {study.settings.title}\n\n{begin}\n{end}\n"
    if begin not in old or end not in old:
        raise DataError(f"{page}: has no lines {begin} and {end}; put them where the tables belong")
    before, after = old.split(begin)[0], old.split(end)[1]
    write_text(page, f"{before}{begin}\n\n{made}\n{end}{after}")


def render_tables(read: Read, drawings: tuple[str, ...]) -> str:
    """All tables and figures that are computed, as Markdown; `drawings` are names of files beside the page."""
    tables = all_tables(read)
    if not tables:
        return "No run is finished yet.\n"
    parts = [table.markdown() for table in tables]
    names = [read.study.methods[name].label for name in curves(read)]
    for file in drawings:
        over = "updates" if "-updates-" in file else "tokens"
        words = "Methods" if file.endswith("-methods.svg") else f"Over {over} ({strokes(names)})"
        parts.append(f"![{words}](figures/{file})\n")
    return "\n".join(parts)
