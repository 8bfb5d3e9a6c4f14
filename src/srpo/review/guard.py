"""Who may ask the server anything: only the person who has its address, and only from its own page.

A page of another site can make a browser send requests to a local server.  So every request must name this server as
its host (a foreign name that points here is refused), come with a cookie that only the address with the token sets
and that browsers keep from other sites, and, beyond reading pages and pictures, carry a header that a foreign page
cannot set without being asked first.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote

from srpo.bodies import Unreadable, check_json

HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Of every reply."""

REVIEWER_HEADER: Final = "x-srpo-reviewer"
"""The reviewer's name, percent-encoded; the page sends it with every request but those for pictures."""

ROLE_HEADER: Final = "x-srpo-role"


class Denial(NamedTuple):
    """Why a request is not answered."""

    status: int
    message: str


@dataclass(frozen=True)
class Guard:
    """The secrets of one server."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def cookie(self) -> str:
        """Name of the cookie; browsers share cookies between ports, so the name holds it."""
        return f"srpo_review_{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def admits(self, token: str) -> bool:
        """True if the address was the one that was printed."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """True if the browser has opened the address before."""
        return hmac.compare_digest(cookies.get(self.cookie, "").encode(), self.session.encode())

    def denial(self, method: str, path: str, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Denial | None:
        """Why a request is refused; none if it may pass.  Header names are in lower case."""
        host = headers.get("host", "")
        if host not in self.hosts:
            return Denial(421, "this server answers at 127.0.0.1 and localhost only")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and path != "/":
            return Denial(403, "requests of other sites are refused")
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return Denial(403, "requests of other sites are refused")
        if path != "/" and not self.knows(cookies):
            return Denial(403, "open the address that the server printed; it holds the token")
        if path.startswith("/api/") and REVIEWER_HEADER not in headers:
            return Denial(403, f"the header {REVIEWER_HEADER} is missing, which the page sends")
        return None if method in ("GET", "HEAD") else _unlike_json(headers)


def person(headers: Mapping[str, str]) -> tuple[str, str]:
    """Name and role that a request is made in, as they were sent."""
    return unquote(headers.get(REVIEWER_HEADER, ""), errors="replace"), headers.get(ROLE_HEADER, "reviewer")


def _unlike_json(headers: Mapping[str, str]) -> Denial | None:
    try:
        check_json(headers)
    except Unreadable as error:
        return Denial(error.status, str(error))
    return None
