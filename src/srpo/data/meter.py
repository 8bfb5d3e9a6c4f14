"""What calls cost: counted as they are made, and stopped before they would cost more than the user allows.

The meter stands between the cache and the server, so that what the cache answers is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from srpo.data.config import ModelSettings
from srpo.errors import ConfigError
from srpo.models import Model, load_model
from srpo.models.base import Limits, Progress, Request
from srpo.models.cached import CachedModel
from srpo.records import append_records, iterate_records, repair
from srpo.types import Completion, DataStage, Usage

CAP: Final = "cap:"
"""How the error of a request begins that was not sent because of a cap."""

_TOKENS_PER_MESSAGE: Final = 16
"""What a chat template puts around it, at most."""

_TOKENS_PER_PICTURE: Final = 2_500
"""More than most servers count for one picture."""

_PER_MILLION: Final = 1e6


@dataclass
class Ledger:
    """Calls of one dataset, in `usage.jsonl`; the caps hold for all of them, earlier starts included."""

    path: Path
    max_calls: int | None = None
    max_cost: float | None = None
    stage: DataStage = "query"
    role: str = ""
    calls: int = field(default=0, init=False)
    cost: float = field(default=0.0, init=False)
    reached: str | None = field(default=None, init=False)
    """The cap that stopped a call, in words; none as long as none has."""
    made: list[Usage] = field(default_factory=list, init=False)
    """What was booked since the start."""
    _answered: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        repair(self.path)
        for row in iterate_records(self.path, Usage) if self.path.exists() else ():
            self._add(row)

    def book(self, row: Usage) -> None:
        """Add a row to the sums and to the file."""
        append_records(self.path, [row])
        self.made.append(row)
        self._add(row)

    def _add(self, row: Usage) -> None:
        self.calls += row.calls
        self.cost += row.cost or 0.0
        if row.calls > row.failed:
            self._answered.add(row.model)

    def has_answered(self, model: str) -> bool:
        """Whether a model has ever brought a text, in any start."""
        return model in self._answered

    def affordable(self, bounds: Sequence[float]) -> int:
        """How many of the next calls fit under the caps, if each costs `bounds` at most; notes the cap if not all."""
        count = len(bounds)
        if self.max_calls is not None and count > max(0, self.max_calls - self.calls):
            count = max(0, self.max_calls - self.calls)
            self._note(count, f"--max-calls {self.max_calls} is reached: {self.calls} calls were made")
        if self.max_cost is not None:
            fits, total = 0, self.cost
            while fits < count and total + bounds[fits] <= self.max_cost:
                total += bounds[fits]
                fits += 1
            count = fits
            self._note(count, f"--max-cost {self.max_cost:g} leaves no room for a call: {self.cost:.4f} was spent")
        return count

    def _note(self, count: int, words: str) -> None:
        if count == 0 and self.reached is None:
            self.reached = words


class MeteredModel:
    """Counts the calls of a model, and fails those that a cap forbids: they were never sent, and nothing is kept."""

    def __init__(self, inner: Model, settings: ModelSettings, ledger: Ledger) -> None:
        self._inner: Any = inner
        self.name = inner.name
        self._settings = settings
        self._ledger = ledger

    @property
    def token_ids(self) -> bool:
        """Of the model inside."""
        return bool(self._inner.token_ids)

    @token_ids.setter
    def token_ids(self, value: bool) -> None:
        self._inner.token_ids = value

    def identity(self) -> str:
        """Of the model inside."""
        return str(self._inner.identity())

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; as many at a time as fit under the caps even at their dearest."""
        done: list[Completion] = []
        while len(done) < len(requests):
            left = requests[len(done) :]
            count = self._ledger.affordable([self._bound(request) for request in left])
            if count == 0:
                done += [_unsent(request, self._ledger.reached) for request in left]
                break
            replies = self._inner.generate(left[:count], progress)
            self._ledger.book(self._usage(replies))
            done += replies
        return done

    def _bound(self, request: Request) -> float:
        """The most that a call costs, reckoned without a tokenizer."""
        # No token is shorter than a byte, however odd the text: so there are never more than reckoned.
        size = sum(len(message.text.encode()) for message in request.messages)
        size += _TOKENS_PER_MESSAGE * len(request.messages)
        size += _TOKENS_PER_PICTURE * sum(len(message.images) for message in request.messages)
        return cost_of(self._settings, size, request.sampling.max_new_tokens) or 0.0

    def _usage(self, replies: Sequence[Completion]) -> Usage:
        prompt, written = sum(r.prompt_tokens for r in replies), sum(r.completion_tokens for r in replies)
        return Usage(
            stage=self._ledger.stage,
            role=self._ledger.role,
            model=self._settings.model,
            calls=len(replies),
            failed=sum(reply.finish == "error" for reply in replies),
            prompt_tokens=prompt,
            completion_tokens=written,
            cost=cost_of(self._settings, prompt, written),
        )


def cost_of(settings: ModelSettings, prompt_tokens: float, completion_tokens: float) -> float | None:
    """What so many tokens cost; none if the settings state no price."""
    if settings.input_price is None or settings.output_price is None:
        return None
    return (prompt_tokens * settings.input_price + completion_tokens * settings.output_price) / _PER_MILLION


def check_prices(models: Iterable[tuple[str, ModelSettings]]) -> None:
    """Raises ConfigError if a model on a server has no price, so that no cap on money could hold."""
    for name, settings in models:
        if settings.model.startswith("openai:") and cost_of(settings, 0, 0) is None:
            problem = f"models.{name}: has no input_price and output_price, so --max-cost could not hold"
            raise ConfigError(f"{problem}; set both per million tokens, or use --max-calls")


def load_metered(settings: ModelSettings, ledger: Ledger, cache: Path | None) -> Model:
    """The model of these settings, counted; `cache` is the folder of its replies, none = ask everything anew."""
    if not settings.model.startswith("openai:"):
        limits = Limits(max_rows=settings.max_concurrency)
        return MeteredModel(load_model(settings.model, limits=limits), settings, ledger)
    metered = MeteredModel(load_server(settings), settings, ledger)
    return metered if cache is None else CachedModel(metered, cache)


def load_server(settings: ModelSettings) -> Model:
    """The model behind a server.  Raises ConfigError for an address that is none, or without a key."""
    return load_model(
        settings.model,
        base_url=settings.base_url,
        max_concurrency=settings.max_concurrency,
        timeout_seconds=settings.timeout_seconds,
        max_retries=settings.max_retries,
    )


def _unsent(request: Request, reached: str | None) -> Completion:
    return Completion(id=request.id, text="", finish="error", error=f"{CAP} {reached}")
