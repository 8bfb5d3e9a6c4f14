"""Single calls from many coroutines to lists: models and judges of this package take lists and are not thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import anyio
from anyio import to_thread

A = TypeVar("A")
B = TypeVar("B")

_GATHER_SECONDS: Final = 0.01
"""How long a list waits for more."""


@dataclass
class _Call(Generic[A, B]):
    """One call on its way; `done` is its result, or the error of its list."""

    given: A
    done: list[B | Exception]


class Batches(Generic[A, B]):
    """Collects what coroutines ask for while `work` is busy, and gives it to `work` as one list, in a thread.

    `work` returns one result per element, in order.  If it raises, every call of the list raises the same error.
    """

    def __init__(self, work: Callable[[Sequence[A]], Sequence[B]]) -> None:
        self._work = work
        self._waiting: list[_Call[A, B]] = []
        self._lock = anyio.Lock()

    async def ask(self, given: A) -> B:
        """The result for one element."""
        call = _Call[A, B](given, [])
        self._waiting.append(call)
        async with self._lock:
            if not call.done:  # nobody took it along: take it, with all that wait by now
                await anyio.sleep(_GATHER_SECONDS)
                await self._answer()
        found = call.done[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def _answer(self) -> None:
        calls, self._waiting = self._waiting, []
        try:
            results = await to_thread.run_sync(self._work, [call.given for call in calls])
        except Exception as error:
            for call in calls:
                call.done.append(error)
            return
        for call, result in zip(calls, results, strict=True):
            call.done.append(result)
