"""Requests of many clients to batches of one model: a single thread owns the model.

What waits when the thread is free goes through the model together, after a moment for more to arrive.  A batch runs to
its end; the next one is what has come meanwhile.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Protocol

from srpo.models.base import Model, Request
from srpo.serve.refusal import Refusal
from srpo.types import Completion

logger = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 0.01
"""How long a batch waits for one more; much less than it takes to decode one."""

_LEAVING: Final = "the server is shutting down"


class Served(Model, Protocol):
    """A model with what a server needs beside."""

    def encode(self, request: Request) -> tuple[int, ...]:
        """Ids of prompt and prefix.  Raises Refusal if the request cannot be served."""
        ...

    def interrupt(self) -> None:
        """Make a `generate` that is under way in another thread raise soon."""
        ...


@dataclass(frozen=True)
class Answer:
    """What the model wrote for one call, and the ids of the prompt with the open turn."""

    completions: tuple[Completion, ...]
    prompt_ids: tuple[int, ...]


@dataclass
class _Job:
    """The requests of one call, which share prompt and prefix."""

    requests: tuple[Request, ...]
    future: Future[Answer] = field(default_factory=Future)
    prompt_ids: tuple[int, ...] = ()


class Batches:
    """A model and its queue; up to `max_rows` requests make a batch, up to `max_waiting` wait."""

    def __init__(self, model: Served, max_rows: int, max_waiting: int) -> None:
        self._model, self._max_rows, self._max_waiting = model, max_rows, max_waiting
        self._queue: queue.Queue[_Job | None] = queue.Queue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, requests: Sequence[Request]) -> Future[Answer]:
        """Queue the requests of one call.  Raises Refusal with status 429 if too many wait, 503 at the end."""
        job = _Job(tuple(requests))
        with self._lock:
            if self._closed:
                raise Refusal(503, _LEAVING)
            # An empty queue takes any call, or one with many choices would be told to come again for ever.
            if (waiting := self._waiting()) and waiting + len(job.requests) > self._max_waiting:
                raise Refusal(429, "the queue is full; try again later", headers={"Retry-After": "1"})
            self._queue.put(job)
        return job.future

    def _waiting(self) -> int:
        """Requests in the queue whose clients are still there."""
        with self._queue.mutex:
            return sum(len(job.requests) for job in self._queue.queue if job and not job.future.cancelled())

    def close(self, grace_seconds: float = 0.0) -> None:
        """Take nothing more, refuse what waits, and interrupt the batch under way after a time; then return."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join(grace_seconds)
        if self._thread.is_alive():
            self._model.interrupt()
            self._thread.join()

    @property
    def is_open(self) -> bool:
        """Whether calls are taken and answered."""
        return not self._closed and self._thread.is_alive()

    def _run(self) -> None:
        while jobs := self._gather():
            self._answer([job for job in jobs if self._ready(job)])
        while not self._queue.empty():
            self._refuse(self._queue.get())

    def _gather(self) -> list[_Job]:
        """The next jobs; none at the end."""
        jobs: list[_Job] = []
        timeout = None
        while sum(len(job.requests) for job in jobs) < self._max_rows:
            try:
                job = self._queue.get(timeout=timeout)
            except queue.Empty:
                break
            if job is None or self._closed:
                for refused in (*jobs, job):
                    self._refuse(refused)
                return []
            jobs.append(job)
            timeout = _GATHER_SECONDS
        return jobs

    def _refuse(self, job: _Job | None) -> None:
        if job is not None and job.future.set_running_or_notify_cancel():
            job.future.set_exception(Refusal(503, _LEAVING))

    def _ready(self, job: _Job) -> bool:
        """Whether the client still waits and its prompt can be encoded."""
        if not job.future.set_running_or_notify_cancel():
            return False
        try:
            job.prompt_ids = self._model.encode(job.requests[0])
        except Exception as error:  # whatever a processor makes of hostile input, the thread lives on
            job.future.set_exception(error)
            return False
        return True

    def _answer(self, jobs: Sequence[_Job]) -> None:
        """One call of the model for all jobs; if it fails, each alone, so that one cannot spoil the others."""
        if not jobs:
            return
        try:
            completions = iter(self._model.generate([request for job in jobs for request in job.requests]))
        except Exception as error:
            if self._closed or len(jobs) == 1:
                for job in jobs:
                    job.future.set_exception(Refusal(503, _LEAVING) if self._closed else error)
                return
            logger.warning("a batch of %d calls failed (%s); each runs alone", len(jobs), error)
            for job in jobs:
                self._answer([job])
            return
        for job in jobs:
            job.future.set_result(Answer(tuple(next(completions) for _ in job.requests), job.prompt_ids))
