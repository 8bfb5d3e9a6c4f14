"""Requests to the world's server as the pipeline makes them, without a server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from srpo.judge.show import Shown
from srpo.prompts import load_prompt
from srpo.prompts.fill import fill
from srpo.serve.chat import parse_chat
from srpo.simulate.agents import steps_of
from srpo.simulate.errors import Reply
from srpo.simulate.pictures import KnownPictures
from srpo.simulate.players import answer
from srpo.simulate.settings import WorldServer
from srpo.steps import ANSWER
from srpo.world.knowledge import World, load_world
from srpo.world.language import facts, say
from srpo.world.pool import PoolFolder, PoolPicture
from srpo.world.scenes import Scene, Situation

WORLD: World = load_world()


def data_url(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def payload(text: str, url: str | None, model: str = "world-agent", seed: int = 0) -> dict[str, Any]:
    picture = [] if url is None else [{"type": "image_url", "image_url": {"url": url}}]
    content: Any = [*picture, {"type": "text", "text": text}] if picture else text
    return {"model": model, "messages": [{"role": "user", "content": content}], "seed": seed, "temperature": 0.7}


class Asker:
    """Asks the players of one pool in this process."""

    def __init__(self, pool: Path, **rates: float) -> None:
        self.folder = PoolFolder(pool)
        self.settings = WorldServer.model_validate({"pool": pool, "agent_errors": 0, "judge_errors": 0, **rates})
        self.known = KnownPictures(pool)
        self.urls = {p.pixels: data_url(self.folder.pictures / p.file) for p in self.known.pictures.values() if p.file}

    def pictures(self, kind: str) -> list[PoolPicture]:
        return [picture for picture in self.known.pictures.values() if picture.kind == kind]

    def say(self, body: dict[str, Any]) -> Reply:
        return answer(parse_chat(json.dumps(body).encode(), 4096), self.known, self.settings)

    def ask(
        self, prompt: str, picture: PoolPicture | None, model: str = "world-agent", seed: int = 0, **values: Any
    ) -> str:
        url = None if picture is None else self.urls[picture.pixels]
        return self.say(payload(fill(load_prompt(prompt), values), url, model, seed)).text

    def object(self, prompt: str, picture: PoolPicture | None, **more: Any) -> dict[str, Any]:
        found = json.loads(self.ask(prompt, picture, **more))
        assert isinstance(found, dict)
        return found


def risky(scene: Scene) -> list[str]:
    return [trigger for trigger in WORLD.triggers if WORLD.hazards_of(scene.names, trigger)]


def tame(scene: Scene) -> list[str]:
    return [trigger for trigger in WORLD.triggers if not WORLD.hazards_of(scene.names, trigger)]


def right_reply(scene: Scene, trigger: str) -> str:
    key = next(iter(WORLD.hazards_of(scene.names, trigger)), None)
    return say(ANSWER, "clear" if key is None else "risk", facts(WORLD, Situation(scene, trigger, 0), key))


def careless_reply(scene: Scene, trigger: str) -> str:
    return say(ANSWER, "clear", facts(WORLD, Situation(scene, trigger, 0), None))


def right_steps(scene: Scene, trigger: str) -> dict[str, str]:
    return steps_of(WORLD, Situation(scene, trigger, 0))


def shown(steps: dict[str, str]) -> str:
    return Shown(steps=tuple(steps.items())).text()
