"""Judges: texts in, verdicts out.  A judge that fails has not judged."""

from srpo.judge.base import Judge, JudgeItem
from srpo.judge.model import ModelJudge
from srpo.judge.simulated import SimulatedJudge

__all__ = ["Judge", "JudgeItem", "ModelJudge", "SimulatedJudge"]
