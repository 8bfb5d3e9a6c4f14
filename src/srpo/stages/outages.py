"""Servers: asked what they can do before a stage; one that is down fails everything, and the stage stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from srpo.errors import JudgeError, ModelError
from srpo.judge.base import Judge
from srpo.models.base import Model
from srpo.run_config import JudgeSettings
from srpo.types import Failure, Label, Verdict

if TYPE_CHECKING:
    from srpo.models.probe import Needs

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


def check_servers(spec: str | None, asked: Model | Judge, needs: Needs, *, pictures: bool = True) -> None:
    """Probe the servers of a model or judge that `spec` names, now that something is left to ask.

    Raises ModelError as `srpo.models.probe.check_server`.
    """
    if spec is not None and spec.startswith("openai:"):
        from srpo.models.probe import check_server  # its client takes a while to import

        model: Any = getattr(asked, "model", asked)
        check_server(model, needs, pictures=pictures)


def is_outage(failures: Sequence[Failure | None]) -> bool:
    """Whether all of many new judgements failed, most of them in a way that may pass."""
    passing = sum(failure in PASSING for failure in failures)
    return len(failures) >= OUTAGE and None not in failures and 2 * passing > len(failures)


def check_judge(judge: str, settings: JudgeSettings, verdicts: Sequence[Verdict]) -> None:
    """Raises JudgeError if all of many new judgements failed, most of them in a way that may pass.

    Not for those that are asked for again: texts that always fail are together there, and would stop every start.
    """
    if is_outage([verdict.failure for verdict in verdicts]):
        first = next(verdict.reason for verdict in verdicts if verdict.failure in PASSING)
        problem = f"all {len(verdicts)} judgements failed, first: {first}"
        raise JudgeError(f"{judge}: {problem}; {_AGAIN_JUDGE[settings.kind]}")


def check_labels(judge: str, labels: Sequence[Label]) -> None:
    """Raises JudgeError if all of many new labels failed, most of them in a way that may pass."""
    if is_outage([label.failure for label in labels]):
        raise JudgeError(f"{judge}: all {len(labels)} judgements failed; {_AGAIN}")


def check_outage(model: str, errors: Sequence[str | None], asked: int) -> None:
    """Raises ModelError if all of many new requests failed."""
    if asked >= OUTAGE and len(errors) == asked:
        raise ModelError(f"{model}: all {asked} requests failed, first: {errors[0]}; {_AGAIN}")
