"""The body of a request, as servers of ours read it: so large at most, and in so much time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping


class Unreadable(Exception):
    """A body that is refused; the message is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_json(headers: Mapping[str, str]) -> None:
    """Raises Unreadable unless the request says that it is JSON.  Header names are in lower case.

    A page in a browser may send anything but this type to a local server without being asked first.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Unreadable(415, "Content-Type: expected application/json")


async def read_body(parts: AsyncIterable[bytes], most: int, seconds: float) -> bytes:
    """The whole body.  Raises Unreadable if it is too large or too slow.

    One that is too large is read to its end and thrown away, since few clients listen before.
    """
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for part in parts:
                size += len(part)
                if size <= most:
                    body += part
                else:
                    body.clear()
    except TimeoutError:
        raise Unreadable(408, f"the request did not arrive in {seconds:g} seconds") from None
    if size > most:
        raise Unreadable(413, f"a request may have {most} bytes at most, got {size}")
    return bytes(body)
