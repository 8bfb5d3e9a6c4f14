"""The page of all judged answers: one standalone HTML file with search, filters and links to every view.

Here alone a script runs, and only the one whose hash the page's policy names.  It builds the page from text nodes; the
policy also makes the browser refuse any string that would be parsed as markup.  Data lie in the page, compressed, so
that twenty thousand answers open at once and no second file is read.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from srpo.rates import REPEATED
from srpo.report.items import Collection
from srpo.report.pictures import BUDGET, Picture, embed_pictures
from srpo.report.shell import content_policy, environment, show_hidden, style_sheet
from srpo.report.views import CELL_WORDS, KIND_ICONS, KIND_WORDS
from srpo.types import CATEGORIES

_NO_MARKUP: Final = "; require-trusted-types-for 'script'; trusted-types 'none'"


def render_items(
    collection: Collection,
    folder: Path,
    *,
    title: str = "All judged answers",
    report: str = "report.html",
    budget: int = BUDGET,
) -> str:
    """All items as one HTML file, to be written into `folder`.

    Relative paths of pictures start at `folder`.  Pictures go into the page up to `budget` characters; later ones are
    linked to where they lie.  `report` is the address of the report, relative to the page.
    """
    pictures = embed_pictures(collection.pictures, folder, budget)
    sheet, script = Markup(style_sheet("browser/page.css")), Markup(_script())
    page = (
        environment()
        .get_template("browser/page.html.j2")
        .render(
            title=title,
            report=report,
            style=sheet,
            script=script,
            policy=content_policy(sheet, scripts=[script], pictures="data: 'self'") + _NO_MARKUP,
            linked=sum(bool(p.source) and not str(p.source).startswith("data:") for p in pictures),
            data=pack(_data(collection)),
            pictures=Markup(_pictures(pictures)),
        )
    )
    return show_hidden(page)


def pack(data: object) -> str:
    """Data as base64 of compressed JSON: equal data, equal text, and no character that means anything in HTML."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)).decode("ascii")


def unpack(text: str) -> Any:
    """What `pack` was given."""
    return json.loads(gzip.decompress(base64.b64decode(text)))


def _data(collection: Collection) -> dict[str, Any]:
    return {
        "systems": collection.systems,
        "scales": [{k: show_hidden(v or "") for k, v in scale._asdict().items()} for scale in collection.scales],
        "items": collection.items,
        "rows": collection.rows,
        "repeated": dict(REPEATED),
        "words": {"cell": CELL_WORDS, "category": CATEGORIES, "kind": KIND_WORDS, "icon": KIND_ICONS},
    }


def _pictures(pictures: Sequence[Picture]) -> str:
    """Apart from the rest: base64 does not compress, and most readers never ask for most pictures.

    Names without folders: a page that is passed on should not tell where its maker keeps files.
    """
    rows = [{"name": show_hidden(Path(p.path).name), "source": p.source} for p in pictures]
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _script() -> str:
    """The three parts as one script with names of its own."""
    folder = files("srpo.report").joinpath("templates", "browser")
    parts = [folder.joinpath(name).read_text(encoding="utf-8") for name in ("filters.js", "item.js", "page.js")]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])
