"""The models of one dataset, and who asks them: agents and judges, counted by role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from srpo.data.agents import AgentRole, Agents
from srpo.data.config import PromptName
from srpo.data.meter import CAP, Ledger
from srpo.errors import ModelError
from srpo.judge.ask import Question, Unlabelled, ask
from srpo.judge.base import JudgeItem
from srpo.judge.model import ModelJudge
from srpo.models import Model
from srpo.records import content_id, seed_of
from srpo.types import Failure, Part, Sampling, Verdict

OUTAGE: Final = 8
"""So many calls that all fail mean that a server is down or refuses us, not that the items are bad."""

_ANSWERED: Final = "error: the server answered"
_UNREACHED: Final = ("error: cannot reach", "error: not sent")
_USELESS: Final = (
    *(f"{_ANSWERED} {status}:" for status in (401, 403, 404)),
    "error: the server's answer is not a chat completion",
)
"""Answers of a server that no request can be put to."""

_OWN_FAULT: Final = tuple(f"{_ANSWERED} {status}:" for status in (400, 413, 415, 422))
"""Answers that say no to one request, and would again: its set leaves the dataset."""

_PASSING: Final = ("timeout", "error")


class Crew:
    """Asks the models that play the roles; a model is loaded when it is first asked."""

    def __init__(self, agents: Agents, ledger: Ledger, load: Callable[[str], Model]) -> None:
        """`load` gives the model of a name in `models`."""
        self.agents, self.config, self.ledger = agents, agents.config, ledger
        self._load = load
        self._models: dict[str, Model] = {}
        self._working: set[str] = set()
        """Names of models that have answered since the start, or the cache for them."""

    def ask(self, role: AgentRole, questions: Sequence[Question[Any]]) -> None:
        """Fill in the readings.  Raises ModelError if no server answers."""
        self._ask(self.agents.player(role), role, questions)

    def ask_judge(self, number: int, prompt: PromptName, questions: Sequence[Question[Any]]) -> None:
        """Ask the judge whose turn the vote with this number is.  Raises ModelError if no server answers."""
        self._ask(self.judge_name(number), prompt, questions)

    def judge(self, number: int, part: Part, items: Sequence[JudgeItem]) -> list[Verdict]:
        """The vote with this number on answers or paths.  Raises ModelError if no server answers.

        The judge is told neither the event nor a reply that would suit: both would tell which cell it sees.
        """
        name = self.judge_name(number)
        prompts = self.agents.prompts
        own = {"answer": prompts["judge_answer"], "path": prompts["judge_path"]}
        seed = self.vote_seed(number)
        shown = {"show_hypothesis": False, "show_reference": False}
        judge = ModelJudge(self._model(name), self.vote_sampling(number), prompts=own, seed=seed, **shown)
        self.ledger.role = f"judge_{part}"
        verdicts = judge.judge(items)
        self._check(name, [(v.failure, v.reason) for v in verdicts])
        return verdicts

    def judge_name(self, number: int) -> str:
        """The name in `models` of the judge whose turn a vote is."""
        judges = self.config.roles.judges
        return judges[number % len(judges)]

    def judge_label(self, number: int, prompt: PromptName) -> str:
        """The judge's name with 8 hex digits of the hash of its prompt."""
        model = self.config.models[self.judge_name(number)].model.partition(":")[2]
        return f"{model}@{content_id(self.agents.prompts[prompt])[:8]}"

    def vote_sampling(self, number: int) -> Sampling:
        """A judge's first vote is greedy, and its further ones are drawn."""
        settings = self.config.models[self.judge_name(number)]
        temperature = 0.0 if number < len(self.config.roles.judges) else 1.0
        return Sampling(temperature=temperature, max_new_tokens=settings.max_new_tokens)

    def vote_seed(self, number: int) -> int:
        """Seed of all votes with this number; the items' ids make it one of each."""
        return seed_of(self.config.seed, "vote", number)

    def _ask(self, name: str, role: str, questions: Sequence[Question[Any]]) -> None:
        if not questions:
            return
        self.ledger.role = role
        ask(self._model(name), questions)
        readings = (question.reading for question in questions)
        self._check(name, [(r.failure, r.reason) if isinstance(r, Unlabelled) else (None, "") for r in readings])

    def _model(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = self._load(name)
        return self._models[name]

    def _check(self, name: str, calls: Sequence[tuple[Failure | None, str]]) -> None:
        """Raises ModelError if all calls failed, and it is the server that failed them.

        A server that has answered anything since the start works: what it refuses then hangs on the request.
        """
        failed = [reason for failure, reason in calls if failure in _PASSING]
        if len(failed) < len(calls):
            self._working.add(name)
        elif failed and not any(reason.startswith(CAP) for reason in failed) and self._is_down(name, failed):
            settings = self.config.models[name]
            where = settings.base_url if isinstance(settings.base_url, str) else settings.model
            problem = f"models.{name} ({where}): all {len(failed)} requests failed, first: {failed[0]}"
            raise ModelError(f"{problem}; what is finished is kept, run the same command again when it works")

    def _is_down(self, name: str, failed: Sequence[str]) -> bool:
        if all(reason.startswith(_UNREACHED) for reason in failed):
            return True
        if any(reason.startswith(_OWN_FAULT) for reason in failed):
            # One that never fails otherwise is met again by every start, and must not stop them all.
            known = self.ledger.has_answered(self.config.models[name].model)
            return name not in self._working and (len(failed) >= OUTAGE or not known)
        useless = all(reason.startswith(_USELESS) for reason in failed)
        return len(failed) >= OUTAGE or (useless and name not in self._working)


def may_pass(failure: Failure) -> bool:
    """Whether a call failed in a way that may be gone when it is made again; else it hangs on the texts."""
    return failure in _PASSING


def is_refused(reason: str) -> bool:
    """Whether a call failed in a way that asking again cannot help."""
    return reason.startswith(_OWN_FAULT)
