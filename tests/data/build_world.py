"""A pool of the embedded world, a server that plays agents and judges of it, and settings for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chat_server import Answer, Server, chat, serve
from srpo.building import BuildOptions, Built, build_dataset
from srpo.config import load_config
from srpo.data.config import BuildConfig
from srpo.progress import silent
from srpo.serve.chat import ChatRequest
from srpo.simulate.pictures import KnownPictures
from srpo.simulate.players import answer
from srpo.simulate.settings import WorldServer
from srpo.world.pool import PoolFolder

PRICES = {"input_price": 1.0, "output_price": 4.0}

Before = Callable[[dict[str, Any], int], Answer | None]
"""Sees each request first; what it gives, if anything, is sent in the place of an answer."""


@contextmanager
def world(pool: Path, before: Before = lambda payload, number: None, errors: float = 0.04) -> Iterator[Server]:
    """Agents and judges that err at this rate, the same way whoever asks."""
    settings = WorldServer(pool=pool, agent_errors=errors, judge_errors=errors, failures=0.0, seed=0)
    pictures = KnownPictures(pool)

    def reply(payload: dict[str, Any], number: int) -> Answer:
        early = before(payload, number)
        if early is not None:
            return early
        if "prompt" in payload:
            return Answer({"created": 0, "data": [{"b64_json": pictures.draw(payload["prompt"])}]})
        said = answer(ChatRequest.model_validate_json(json.dumps(payload)), pictures, settings)
        if said.refusal is not None:
            return Answer(chat(None, refusal=said.refusal))
        return Answer(chat(said.text))

    with serve(reply) as server:
        # The revision makes the server the same one at any address, so that a cache holds for all of them.
        server.models = [{"id": name, "revision": "1"} for name in ("world-agent", "world-judge")]
        yield server


def settings_for(pool: Path, url: str, *overrides: str) -> BuildConfig:
    """Settings of a dataset of this pool, with no second attempts and one vote per check."""
    return load_config(None, [*overrides_for(pool, url), *overrides], BuildConfig)


def overrides_for(pool: Path, url: str) -> list[str]:
    folder = PoolFolder(pool)
    server = {"base_url": url, "max_retries": 0, **PRICES}
    models = {name: {"model": f"openai:world-{name}", **server} for name in ("agent", "judge")}
    images = {"folder": str(folder.pictures), "table": str(folder.table)}
    return [f"models={json.dumps(models)}", f"images={json.dumps(images)}", "checks.votes=1"]


def build(config: BuildConfig, out: Path, **options: Any) -> Built:
    return build_dataset(config, out, BuildOptions(**options), silent)


def contents(out: Path) -> dict[str, bytes]:
    """The files that must not depend on how the work was interrupted."""
    return {name: (out / f"{name}.jsonl").read_bytes() for name in ("samples", "sets", "rejected", "sources")}
