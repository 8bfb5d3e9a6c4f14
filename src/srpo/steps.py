"""Text to steps and back, exactly.  The only file that knows the markers.

The six steps are those of SSUI (arXiv:2508.08926); the marker lines are our choice.  A step's text runs from
its marker to the next marker, so `split(text).text == text` for every text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from srpo.types import ReasoningPath, Step

STEP_NAMES: Final = ("visual", "request", "synthesis", "intent_risk", "consequences", "strategy")
ANSWER: Final = "answer"
SEGMENT_NAMES: Final = (*STEP_NAMES, ANSWER)

TITLES: Final[dict[str, str]] = {
    "visual": "Visual context",
    "request": "Textual request",
    "synthesis": "Synthesis",
    "intent_risk": "Intent and risk",
    "consequences": "Consequences",
    "strategy": "Strategy",
}
MARKERS: Final[dict[str, str]] = {
    **{name: f"Step {i} - {TITLES[name]}:" for i, name in enumerate(STEP_NAMES, 1)},
    ANSWER: "Final answer:",
}
_NAME_OF_MARKER: Final = {marker: name for name, marker in MARKERS.items()}
_MARKER_AT_LINE_START: Final = re.compile(f"^(?:{'|'.join(map(re.escape, MARKERS.values()))})", re.MULTILINE)


def split(text: str) -> ReasoningPath:
    """Split any text at marker lines; text before the first marker becomes a step without a name."""
    hits = list(_MARKER_AT_LINE_START.finditer(text))
    bounds = [hit.start() for hit in hits] + [len(text)]
    steps = [Step(name=None, text=text[: bounds[0]])] if bounds[0] > 0 else []
    for hit, end in zip(hits, bounds[1:], strict=True):
        steps.append(Step(name=_NAME_OF_MARKER[hit.group()], text=text[hit.start() : end]))
    return ReasoningPath(steps=tuple(steps))


def join(bodies: Sequence[str]) -> ReasoningPath:
    """Build a path from seven bodies (six steps, then the reply) without markers.

    Raises ValueError if the number of bodies is not seven or a body holds a marker of its own.
    """
    if len(bodies) != len(SEGMENT_NAMES):
        raise ValueError(f"a path has {len(SEGMENT_NAMES)} segments, got {len(bodies)}")
    last = len(bodies) - 1
    segments = tuple(
        Step(name=name, text=f"{MARKERS[name]} {body}" + ("" if i == last else "\n"))
        for i, (name, body) in enumerate(zip(SEGMENT_NAMES, bodies, strict=True))
    )
    path = ReasoningPath(steps=segments)
    if split(path.text) != path:
        raise ValueError("a step holds a line that looks like the marker of another step")
    return path


def body(step: Step) -> str:
    """The step's words, without marker and outer white space."""
    marker = MARKERS.get(step.name or "", "")
    return step.text.removeprefix(marker).strip()


def well_formed(path: ReasoningPath) -> bool:
    """True if the path is exactly the six steps and the reply, in order, none empty."""
    return tuple(step.name for step in path.steps) == SEGMENT_NAMES and all(body(step) for step in path.steps)


def answer(path: ReasoningPath) -> str | None:
    """The reply's words, or none if the text has no (or more than one) final answer."""
    found = [body(step) for step in path.steps if step.name == ANSWER]
    return found[0] if len(found) == 1 and found[0] else None


def prefixes(path: ReasoningPath) -> list[tuple[str, ...]]:
    """The segments before each open position: nothing, step 1, steps 1-2, ..., all but the last."""
    texts = tuple(step.text for step in path.steps)
    return [texts[:i] for i in range(len(texts))]
