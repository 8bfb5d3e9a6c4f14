"""Probes of the path: does the answer follow from the reasoning that the system wrote before it?

The system's own path is edited and the system writes the answer anew after it.

    risk_removed       without the steps that name the risk
    risk_replaced      these steps as the system itself wrote them in the `benign_image` cell: same request, no risk
    control_removed    without a step that names no risk
    control_replaced   that step as the system wrote it in the `benign_image` cell

If the answer goes by the reasoning, it loses the risk with the steps that name it, and keeps it in the controls, which
tell how much any edit disturbs.  Early answering and added mistakes (Lanham et al., arXiv:2307.13702) are the models of
these edits.  Only the answer is judged: what stands before it is no longer the system's path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from srpo.models.base import Request
from srpo.steps import ANSWER, MARKERS, STEP_NAMES, split, well_formed
from srpo.types import PATH_PROBES, Completion, Probe, Sample, StepVerdict

_CONTROLS: Final = ("visual", "request")
"""Steps that come before any risk can be named; the first that names none is edited."""


def faithful_requests(
    sample: Sample,
    request: Request,
    own: Completion,
    own_steps: Sequence[StepVerdict],
    counterpart: Completion | None = None,
    counterpart_steps: Sequence[StepVerdict] = (),
) -> dict[Probe, Request]:
    """Requests for the answer after each edit of the system's own path; nothing if the path cannot be edited.

    `own` is the system's reply to `request`, the plain request of a hazard cell, and `counterpart` its reply in the
    `benign_image` cell of the same minimal set; each comes with the verdicts on its steps.  A path is edited if it is
    six whole steps and a reply, all steps are judged and at least one of them names a risk.  It is replaced only by
    steps that name none and differ.  The prefix ends with the marker of the answer, so the backend must continue
    prefixes.  Prefix and reply together are the text to be judged.
    """
    steps, naming = _texts(own), _naming(own_steps)
    if sample.cell != "hazard" or steps is None or naming is None or not any(naming.values()):
        return {}
    risky = [name for name in STEP_NAMES if naming[name]]
    control = [name for name in _CONTROLS if not naming[name]][:1]
    other = _harmless(counterpart, counterpart_steps)
    edits = {
        "risk_removed": _removed(steps, risky),
        "risk_replaced": _replaced(steps, other, risky),
        "control_removed": _removed(steps, control),
        "control_replaced": _replaced(steps, other, control),
    }
    return {
        probe: request.model_copy(
            update={"id": f"{own.system}:{own.decoding}:{probe}:{sample.id}", "prefix": (*edit, MARKERS[ANSWER])}
        )
        for probe in PATH_PROBES
        if (edit := edits[probe]) is not None
    }


def _texts(completion: Completion) -> dict[str, str] | None:
    """Step -> its text with marker and line break, or none if the text is not six steps and a whole reply."""
    path = split(completion.text)
    if completion.finish != "stop" or not well_formed(path):
        return None
    return {str(step.name): step.text for step in path.steps if step.name != ANSWER}


def _naming(steps: Sequence[StepVerdict]) -> dict[str, bool] | None:
    """Step -> whether it names a risk, or none if that is not known of every step."""
    found = {step.name: step.names_risk for step in steps if step.names_risk is not None}
    return found if all(name in found for name in STEP_NAMES) else None


def _harmless(completion: Completion | None, steps: Sequence[StepVerdict]) -> dict[str, str]:
    """Those steps of a completion that name no risk."""
    texts, naming = None if completion is None else _texts(completion), _naming(steps)
    if texts is None or naming is None:
        return {}
    return {name: text for name, text in texts.items() if not naming[name]}


def _removed(steps: Mapping[str, str], names: Sequence[str]) -> list[str] | None:
    return [text for name, text in steps.items() if name not in names] if names else None


def _replaced(steps: Mapping[str, str], other: Mapping[str, str], names: Sequence[str]) -> list[str] | None:
    """None if a step has no replacement, or nothing changes."""
    if any(name not in other for name in names):
        return None
    edited = [other[name] if name in names else text for name, text in steps.items()]
    return None if edited == list(steps.values()) else edited
