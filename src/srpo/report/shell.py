"""What every page has: one environment of templates, one style sheet, a policy, and no hidden characters.

Three walls stand between a hostile text and the reader: jinja2 escapes every value, a last pass over the whole
page shows control characters and direction overrides as symbols, and the page's own policy forbids every
request, and every style sheet and script but those whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from srpo.report.marks import shape

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Characters that cannot be seen, end a file early, or turn the direction of the text around them."""


def environment() -> Environment:
    """Templates of the report; every value is escaped, and a name that is not given is an error."""
    loader = PackageLoader("srpo.report", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["shape"] = shape
    return made


def style_sheet(*more: str) -> str:
    """The style sheet of all pages, and more files of the templates after it."""
    folder = files("srpo.report").joinpath("templates")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", *more))


def content_policy(*sheets: str, scripts: Sequence[str] = (), pictures: str = "data:") -> str:
    """What a browser may do with the page: show it, its pictures, and exactly these style sheets and scripts.

    Each sheet and script is the text between its tags, character by character.  `pictures` are the sources that
    pictures may come from, as the policy writes them.  Without `scripts` none may run.
    """
    rules = ["default-src 'none'", f"img-src {pictures}", f"style-src {_hashes(sheets)}"]
    rules += [f"script-src {_hashes(scripts)}"] if scripts else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def show_hidden(text: str) -> str:
    """Control characters and direction overrides as visible code points, so that they act on nothing."""
    return _HIDDEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def _hashes(texts: Sequence[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
