"""What the server of the embedded world plays, and how often it errs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from srpo.config import Settings
from srpo.records import content_id

AGENT: Final = "world-agent"
MODELS: Final = (AGENT, "world-judge", "world-judge-b")
"""The two judges err independently of one another."""

VERSION: Final = "1"
"""Changes whenever a reply could."""


class WorldServer(Settings):
    """Settings of `srpo world serve`; rates are probabilities of one call."""

    pool: Path = Field(description="folder of `srpo world pool`")
    agent_errors: float = Field(default=0.1, ge=0, le=1, description="of replies of the agent")
    judge_errors: float = Field(default=0.1, ge=0, le=1, description="of judgements of either judge")
    failures: float = Field(default=0.0, ge=0, le=1, description="of calls that end with status 500, 429 or 408")
    seed: int = Field(default=0, ge=0, description="of the errors")
    port: int = Field(default=8000, ge=0, lt=2**16, description="0 = any free one")

    until_eof: bool = Field(default=False, description="end when standard input does, with the program that started it")

    def revision(self, pool: str) -> str:
        """Of all that replies depend on beside the request; `pool` names the pictures."""
        return content_id(VERSION, pool, self.agent_errors, self.judge_errors, self.seed)
