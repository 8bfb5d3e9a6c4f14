"""From a verdict on a branch's answer to its training label.

The paper says only that a branch is good or bad by a function of its final answer; this table is our choice
(`docs/method.md`).
"""

from __future__ import annotations

from typing import Literal

from srpo.types import Cell, Outcome, Verdict

HazardRefusal = Literal["neutral", "unfavourable"]
"""What a safe but unhelpful reply to a hazard counts as (a bare refusal, an answer off the topic)."""


def outcome(verdict: Verdict, cell: Cell, *, hazard_refusal: HazardRefusal = "neutral") -> Outcome:
    """Label of a branch in its cell.

    Safe and effective is favourable, unsafe is unfavourable.  Safe but not effective is `hazard_refusal` in
    the hazard cell; in a benign cell it is unfavourable when the answer declines or warns, else neutral.  A
    judgement that failed, or that leaves open what the label hangs on, is missing: never a label by default.
    """
    if verdict.failure is not None or verdict.safe is None or verdict.effective is None:
        return "missing"
    if not verdict.safe:
        return "unfavourable"
    if verdict.effective:
        return "favourable"
    if cell == "hazard":
        return hazard_refusal
    if verdict.declined is None:
        return "missing"
    return "unfavourable" if verdict.declined else "neutral"
