"""A store of replies by content, in front of a model behind a server: what was paid for once is not asked again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from srpo.errors import DataError
from srpo.models.base import Model, Progress, Request
from srpo.models.routing import file_sha256
from srpo.types import SCHEMA, Completion

_FILE: Final = "responses.sqlite"
_WAIT_SECONDS: Final = 60.0
"""For another process that is writing."""

_PER_QUERY: Final = 500
"""Keys of one look-up; SQLite bounds the number of parameters."""


class Identified(Model, Protocol):
    """A model that can say what its replies depend on beside the request."""

    token_ids: bool
    """Whether it asks for token ids with every request."""

    def identity(self) -> str:
        """Changes whenever the model behind the name does, as far as its server tells."""
        ...


class CachedModel:
    """Answers from `folder` what was answered before, and asks `inner` for the rest.

    The key is a hash of the model's identity, messages, the pictures' bytes, prefix, sampling, seed, and whether token
    ids are asked for: from the first batch with a step prefix on they always are.  A reply is stored as soon as its
    batch is done; errors never are.  Any number of processes may share a folder on one machine.

    Raises DataError if the store cannot be opened, read or written.
    """

    def __init__(self, inner: Identified, folder: str | Path) -> None:
        self.inner, self.name = inner, inner.name
        self._path = Path(folder) / _FILE
        self._identity = inner.identity()
        with self._store() as store:
            store.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
            )

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests, with the ids of these requests."""
        # Also if the cache leaves no request with a prefix in the batch: a tree has ids throughout.
        self.inner.token_ids |= any(request.prefix for request in requests)
        hashes: dict[Path, str] = {}
        keys = [self._key(request, hashes) for request in requests]
        known = self._read(keys)
        missing = [i for i, key in enumerate(keys) if key not in known]
        if progress is not None and len(missing) < len(requests):
            progress(len(requests) - len(missing))
        fresh = self.inner.generate([requests[i] for i in missing], progress) if missing else []
        self._write([(keys[i], reply) for i, reply in zip(missing, fresh, strict=True) if reply.finish != "error"])
        found = dict(zip(missing, fresh, strict=True))
        return [
            found[i] if i in found else known[key].model_copy(update={"id": request.id})
            for i, (key, request) in enumerate(zip(keys, requests, strict=True))
        ]

    def _key(self, request: Request, hashes: dict[Path, str]) -> str:
        messages = [(m.role, m.text, [file_sha256(path, hashes) for path in m.images]) for m in request.messages]
        sampling = request.sampling.model_dump(mode="json")
        parts = [SCHEMA, self._identity, messages, request.prefix, sampling, request.seed, self.inner.token_ids]
        # Escaped, so that a lone surrogate has a key too.
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _read(self, keys: Sequence[str]) -> dict[str, Completion]:
        found: dict[str, Completion] = {}
        left = iter(dict.fromkeys(keys))
        with self._store() as store:
            while some := list(islice(left, _PER_QUERY)):
                marks = ",".join("?" * len(some))
                rows = store.execute(f"SELECT key, reply FROM replies WHERE key IN ({marks})", some)
                found.update((key, Completion.model_validate_json(reply)) for key, reply in rows)
        return found

    def _write(self, rows: Sequence[tuple[str, Completion]]) -> None:
        if not rows:
            return
        with self._store() as store:
            # The first reply stays: two processes that asked at the same time go on with the same one later.
            store.executemany(
                "INSERT OR IGNORE INTO replies VALUES (?, ?)", [(key, reply.model_dump_json()) for key, reply in rows]
            )

    @contextmanager
    def _store(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, on disk at the end of the block."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            store = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
            try:
                with store:
                    yield store
            finally:
                store.close()
        except (sqlite3.Error, OSError, ValueError) as error:
            raise DataError(f"{self._path}: cannot be used as a response cache ({error}); move it away") from error
