"""A server that is down fails everything; then a stage stops, and keeps nothing of the chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srpo.errors import JudgeError, ModelError
from srpo.run_config import JudgeSettings
from srpo.types import Verdict

OUTAGE: Final = 8
"""So many requests that fail together mean that a server is down, not that the items are bad."""

PASSING: Final = ("timeout", "error")
"""Failures of a judge that may be gone when it is asked again; the others hang on the text."""

_AGAIN: Final = "nothing of them is kept, resume when it works again"
_AGAIN_JUDGE: Final = {
    "oracle": "nothing of them is kept; it reads drawn scenes only, so start a run with a judge of kind model",
    "simulated": "nothing of them is kept; start a run with a lower failure_rate",
    "model": _AGAIN,
}
"""What to do about a judge of some kind that fails throughout."""


def check_judge(judge: str, settings: JudgeSettings, verdicts: Sequence[Verdict]) -> None:
    """Raises JudgeError if all of many new judgements failed in a way that may pass.

    Not for those that are asked for again: texts that always fail are together there, and would stop every start.
    """
    broken = [verdict.reason for verdict in verdicts if verdict.failure in PASSING]
    if len(verdicts) >= OUTAGE and len(broken) == len(verdicts):
        problem = f"all {len(broken)} judgements failed, first: {broken[0]}"
        raise JudgeError(f"{judge}: {problem}; {_AGAIN_JUDGE[settings.kind]}")


def check_outage(model: str, errors: Sequence[str | None], asked: int) -> None:
    """Raises ModelError if all of many new requests failed."""
    if asked >= OUTAGE and len(errors) == asked:
        raise ModelError(f"{model}: all {asked} requests failed, first: {errors[0]}; {_AGAIN}")
