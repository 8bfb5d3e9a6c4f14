"""Which server gets which request: the same picture goes to the same server, whatever else goes where.

Servers keep what they computed for a picture and for the beginning of a prompt.  So requests go by the picture's bytes,
and in an order in which neighbours share most.  With rendezvous hashing, a server that leaves moves its own requests
only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from srpo.models.base import Request

_T = TypeVar("_T")


def picture_key(request: Request, hashes: dict[Path, str]) -> str:
    """Hash of the request's pictures, or of its words if it has none; `hashes` remembers files."""
    paths = [path for message in request.messages for path in message.images]
    if not paths:
        return hashlib.sha256("\n".join(message.text for message in request.messages).encode()).hexdigest()
    return " ".join(file_sha256(path, hashes) for path in paths)


def file_sha256(path: Path, hashes: dict[Path, str]) -> str:
    """Hash of a file's bytes, or its path if it cannot be read; `hashes` remembers files."""
    if path not in hashes:
        try:
            hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:  # sending it will say what is wrong
            hashes[path] = str(path)
    return hashes[path]


def sending_order(requests: Sequence[Request], keys: Sequence[str]) -> list[int]:
    """Indices picture by picture, each in the order of its first request; within, depth-first by prefix."""
    first: dict[object, int] = {}
    for i, (request, key) in enumerate(zip(requests, keys, strict=True)):
        first.setdefault(key, i)
        first.setdefault(request.messages, i)
    return sorted(range(len(requests)), key=lambda i: (first[keys[i]], first[requests[i].messages], requests[i].prefix))


def ranked(servers: Sequence[_T], names: Sequence[str], key: str) -> list[_T]:
    """Servers in the order in which this key prefers them (rendezvous hashing)."""
    weights = [hashlib.sha256(f"{name}\n{key}".encode()).digest() for name in names]
    return [servers[i] for i in sorted(range(len(servers)), key=weights.__getitem__, reverse=True)]


def steps_nest(rows: Sequence[tuple[Request, tuple[int, ...]]]) -> bool:
    """Whether step boundaries are token boundaries: the ids of a prefix begin those of every longer one.

    `rows` are requests with their prompts' ids, open turn included.
    """
    longest: dict[object, tuple[tuple[str, ...], tuple[int, ...]]] = {}
    for request, ids in sorted(rows, key=lambda row: len(row[0].prefix)):
        prefix, before = longest.get(request.messages, ((), ()))
        if request.prefix[: len(prefix)] != prefix:
            continue
        if ids[: len(before)] != before:
            return False
        longest[request.messages] = (request.prefix, ids)
    return True
