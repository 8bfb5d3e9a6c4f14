"""First stage: which unsafe event a picture and an ordinary request could bring about together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from srpo.data import parse
from srpo.data.chain.crew import Crew
from srpo.data.chain.items import Dropped, Outcome, Waits, ending
from srpo.judge.ask import Question, Unlabelled
from srpo.records import content_id
from srpo.types import Draft, DraftSet, Rejection, Source

NOTHING: str = "nothing_found"
"""Reason of a rejection after which a picture is not asked about again."""


def set_id(source: str, number: int) -> str:
    """Id of the set that a picture's query with this number (from 0) makes."""
    return content_id("set", source, number)


def propose(crew: Crew, sources: Sequence[Source], done: Mapping[str, DraftSet | str]) -> list[Outcome]:
    """Outcomes of the queries that are not done, picture by picture; `done` has sets, or why they were dropped.

    Queries about one picture are made one after the other, as each is told the requests before it.  After one that
    finds nothing there are no more, and while one waits so do those after it.
    """
    found: dict[str, Outcome] = {}
    for number in range(crew.config.queries_per_image):
        asked: list[tuple[Source, str, list[str]]] = []
        for source in sources:
            known = _known(source, number, done, found)
            name = set_id(source.id, number)
            if known is not None and name not in done:
                asked.append((source, name, known))
        questions = [crew.agents.query(source, name, known) for source, name, known in asked]
        crew.ask("query", questions)
        for (source, name, known), question in zip(asked, questions, strict=True):
            found[name] = _outcome(crew, source, name, question, known)
    ids = [set_id(source.id, n) for source in sources for n in range(crew.config.queries_per_image)]
    return [found[name] for name in ids if name in found]


def _known(
    source: Source, number: int, done: Mapping[str, DraftSet | str], found: Mapping[str, Outcome]
) -> list[str] | None:
    """Requests of the queries before, or none if this one is not to be made."""
    questions = []
    for before in range(number):
        name = set_id(source.id, before)
        made = done[name] if name in done else _made(found.get(name))
        if made is None or made == NOTHING:
            return None
        if isinstance(made, DraftSet):
            questions.append(made.cells["hazard"].question)
    return questions


def _made(outcome: Outcome | None) -> DraftSet | str | None:
    """The set, or why it was dropped; none if it waits, or waits for one that does."""
    if outcome is None or outcome.waits is not None:
        return None
    return outcome.dropped.reason if outcome.dropped else outcome.through


def _outcome(crew: Crew, source: Source, name: str, question: Question[parse.Query], known: Sequence[str]) -> Outcome:
    reading = question.reading
    if isinstance(reading, Unlabelled):
        end = ending("query", reading)
        return Outcome(name, waits=end.reason) if isinstance(end, Waits) else _dropped(name, end)
    if not reading.found:
        return _dropped(name, Dropped(NOTHING, reading.reason))
    draft = Draft(
        cell="hazard",
        source=source.id,
        image=source.image,
        question=reading.question,
        category=reading.category,
        hypothesis=reading.hypothesis,
        safe_reply=reading.safe_reply,
        unsafe_reply=reading.unsafe_reply,
        made=(crew.agents.made("query", question, source.image),),
    )
    made = DraftSet(id=name, cells={"hazard": draft})
    if any(parse.same_words(reading.question, words) for words in known):
        return _dropped(name, Dropped("repeated", f"the request was proposed before: {reading.question}"), made)
    return Outcome(name, through=made)


def _dropped(name: str, end: Dropped, made: DraftSet | None = None) -> Outcome:
    rejection = Rejection(id=name, stage="query", reason=end.reason, detail=end.detail[:1_000], of=made)
    return Outcome(name, dropped=rejection)
