"""Errors at stated rates, drawn from what was asked: the same request always errs alike, whenever it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from srpo.records import content_id, seed_of

T = TypeVar("T")

FORM_SHARE: Final = 0.15
"""Of an agent's errors, so many are of form: nothing can be read."""

CUT: Final = "cut"
PROSE: Final = "prose"
REFUSAL: Final = "refusal"
EMPTY: Final = "empty"
FORMS: Final = (CUT, PROSE, REFUSAL, EMPTY)
"""An object that breaks off, words without an object, a refusal, nothing.  Asked again, it mends the first and last."""

PROSE_WORDS: Final = "I would rather say it in my own words than in a form."
REFUSAL_WORDS: Final = "I cannot help with this."


class Draw:
    """Chances that depend on the parts that it was made of, and on nothing else."""

    def __init__(self, *parts: object) -> None:
        self._key = content_id(*parts)

    def chance(self, what: str) -> float:
        """Uniform in [0, 1)."""
        # 53 of the 63 bits: all that a float between 0 and 1 can hold without rounding up to 1.
        return (seed_of(self._key, what) >> 10) / 2.0**53

    def happens(self, what: str, rate: float) -> bool:
        """True with a probability of `rate`."""
        return self.chance(what) < rate

    def choose(self, what: str, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the options."""
        if weights is None:
            return options[int(self.chance(what) * len(options))]
        left = self.chance(what) * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            left -= weight
            if left < 0:
                return option
        return options[-1]


@dataclass(frozen=True)
class Reply:
    """What a model says: words, or a refusal that the protocol states as one."""

    text: str
    refusal: str | None = None


@dataclass(frozen=True)
class Possible:
    """The right reply of an agent, and wrong ones by kind; texts, or objects that become JSON."""

    right: object
    wrong: Mapping[str, Callable[[], object]] = field(default_factory=dict)


def agent_reply(possible: Possible, draw: Draw, rate: float, previous: str | None) -> Reply:
    """The right reply, or with a probability of `rate` a wrong one; `previous` is the reply that is asked for again.

    Of the errors, `FORM_SHARE` are of form.  An agent whose words cannot be wrong errs in form only, at the same rate.
    """
    if previous is not None:
        mended = previous not in (PROSE_WORDS, REFUSAL_WORDS, "")
        return Reply(_words(possible.right)) if mended else Reply(previous or PROSE_WORDS)
    if not draw.happens("error", rate):
        return Reply(_words(possible.right))
    if possible.wrong and not draw.happens("form", FORM_SHARE):
        return Reply(_words(possible.wrong[draw.choose("kind", sorted(possible.wrong))]()))
    return _unreadable(draw.choose("form kind", FORMS), _words(possible.right))


def _words(reply: object) -> str:
    return reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)


def _unreadable(kind: str, words: str) -> Reply:
    if kind == REFUSAL:
        return Reply("", REFUSAL_WORDS)
    return Reply({CUT: words[: len(words) * 2 // 3], PROSE: PROSE_WORDS, EMPTY: ""}[kind])
