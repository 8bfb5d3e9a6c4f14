"""What a model wrote in an inspect_ai run, as the completions that the rest of this package scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from inspect_ai.log import EvalLog
from inspect_ai.model import ContentReasoning, ContentText, ModelOutput
from pydantic import ValidationError

from srpo.errors import DataError
from srpo.finished import answer_id
from srpo.types import Completion, Finish, Record

R = TypeVar("R", bound=Record)

RECORD: Final = "record"
"""Key of a score's metadata under which the whole result or label stands."""

DECODING: Final = "decoding"
"""Key of a task's metadata: `greedy` or `sampled`."""

_FINISHES: Final[Mapping[str, Finish]] = {"stop": "stop", "max_tokens": "length", "model_length": "length"}


def responses_from_log(log: EvalLog) -> list[Completion]:
    """The answers of a log of one of our tasks, in its order.

    `system` is the model as inspect_ai names it, `repeat` the epoch from 0.  A sample that failed is a completion with
    `finish="error"`.  Raises DataError if the log is of another task, or holds no samples because only its header was
    read.
    """
    decoding = (log.eval.metadata or {}).get(DECODING)
    if not isinstance(decoding, str):
        raise DataError(f"{log.location}: a log of {log.eval.task}, not of a task of srpo; give one of those")
    if log.samples is None:
        raise DataError(f"{log.location}: holds no samples; read the whole log, not only its header")
    found = []
    for sample in log.samples:
        error = sample.error.message if sample.error else None
        found.append(completion_of(str(sample.id), sample.epoch, log.eval.model, decoding, sample.output, error))
    return found


def records_from_log(log: EvalLog, kind: type[R]) -> list[R]:
    """The results (`Result`) or labels (`Label`) that our scorer has written into a log.

    Raises DataError if a score is not ours or of another kind.
    """
    return [record_of(score.metadata, kind) for s in log.samples or [] for score in (s.scores or {}).values()]


def record_of(metadata: Mapping[str, Any] | None, kind: type[R]) -> R:
    """The record in the metadata of one of our scores.  Raises DataError if there is none."""
    try:
        return kind.model_validate((metadata or {}).get(RECORD))
    except ValidationError as error:
        raise DataError(f"a score of this log holds no {kind.__name__} ({error.error_count()} problems)") from None


def completion_of(
    subject: str, epoch: int, system: str, decoding: str, output: ModelOutput, error: str | None = None
) -> Completion:
    """One answer; epochs count from 1.  An ending that is not known is a failure, as it is everywhere else here."""
    usage, repeat = output.usage, epoch - 1
    finish, problem = _finish(output, error)
    return Completion(
        id=answer_id(system, subject, decoding, repeat),
        sample=subject,
        system=system,
        decoding=decoding,
        repeat=repeat,
        text="" if output.empty else _text(output),
        finish=finish,
        prompt_tokens=usage.input_tokens if usage else 0,
        completion_tokens=usage.output_tokens if usage else 0,
        error=problem,
    )


def _finish(output: ModelOutput, error: str | None) -> tuple[Finish, str | None]:
    if error is not None or output.empty:
        return "error", error or "error: the model gave no answer"
    if output.stop_reason == "content_filter":
        return "error", "refused: the content filter stopped the text"
    finish = _FINISHES.get(output.stop_reason)
    if finish is None:
        return "error", f"error: the model ended with stop_reason {output.stop_reason!r}"
    return finish, None


def _text(output: ModelOutput) -> str:
    """All that was written.  Reasoning that a provider has taken out of the text stands in `<think>` tags again."""
    content = output.message.content
    if isinstance(content, str):
        return content
    parts = []
    for part in content:
        if isinstance(part, ContentReasoning):
            parts.append(f"<think>{part.reasoning}</think>\n")
        elif isinstance(part, ContentText):
            parts.append(part.text)
    return "".join(parts)
