"""What building will cost, before anything is asked: calls, tokens and money, as expected and at worst.

Expected is by the averages of what was measured in the folder, and where there is nothing yet by the figures below.
At worst nothing is dropped, every rewrite, picture and vote is needed, every reply is asked for twice and runs to its
token limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srpo.building.dataset import order_of
from srpo.building.drawing import captions_left
from srpo.building.settings import check_settings, forbidden_changes
from srpo.building.stage import CHAIN, PASSED, Files
from srpo.data.agents import PLAYERS, PROMPTS
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.meter import cost_of
from srpo.data.preview import Preview, preview_files
from srpo.prompts import load_prompt
from srpo.records import iterate_records
from srpo.types import DataStage, Rejection, Source, Usage

PICTURE_TOKENS: Final = 1_000
"""Assumed of one picture."""

_CHARACTERS_PER_TOKEN: Final = 4
_MATERIAL_TOKENS: Final = 250
"""Assumed of the texts that are put into a prompt."""

_REPLY_TOKENS: Final = {
    "query": 250,
    "reasoning": 300,
    "reflection": 80,
    "rewrite": 320,
    "text_only": 250,
    "image_only": 200,
    "summary": 300,
    "counterpart": 100,
    "benign": 150,
    "judge_text_alone": 70,
    "judge_image_alone": 70,
    "judge_answer": 90,
    "judge_path": 350,
}
"""Assumed of one reply."""

PASSES: Final[dict[DataStage, float]] = {
    "query": 0.9,
    "reasoning": 0.98,
    "reflection": 0.9,
    "adjudication": 0.6,
    "cells": 0.5,
}
"""Assumed share of what enters a stage that it lets through."""

_REWRITTEN: Final = 0.3
"""Assumed rewrites of one path."""

_PICTURES_TRIED: Final = 1.5
_DRAWN: Final = 0.4
"""Assumed share of sets for which no picture of the pool will do."""

_SPLIT_VOTES: Final = 0.1
"""Assumed share of texts on which the first votes disagree."""

_NO_PICTURE: Final = ("text_only", "judge_text_alone")


@dataclass(frozen=True)
class Load:
    """Calls of one stage to one model in one role."""

    stage: DataStage
    role: str
    model: str
    """Its name in `models`."""
    calls: float
    worst_calls: float
    prompt_tokens: float
    completion_tokens: float
    cost: float | None
    worst_cost: float | None


@dataclass(frozen=True)
class Estimate:
    """What is left to be done."""

    pictures: int
    loads: tuple[Load, ...]
    measured: bool
    """Whether averages of the folder were used for some of it."""
    sets: float
    """Sets that are expected to be complete in the end, before cleaning."""
    preview: Preview | None
    """What there is in the folder of pictures; none for captions."""
    other_settings: tuple[str, ...]
    """Settings with which a start in this folder would be refused."""


@dataclass(frozen=True)
class _Units:
    """Sets, or queries, that a stage has to do."""

    expected: float
    worst: float


def estimate(config: BuildConfig, out: Path, limit: int | None = None) -> Estimate:
    """Reads the folder if there is one, looks at the pictures, and asks nobody.

    Raises ConfigError for settings with which a dataset could not be built, ConfigError or DataError for a folder,
    table, licence or file of captions that does not fit.
    """
    check_settings(config, None)
    folder = DatasetFolder(out)
    sources = list(iterate_records(folder.sources, Source)) if folder.sources.exists() else []
    preview = _preview(config, folder, sources)
    pictures = len(sources) + (captions_left(config, folder) if preview is None else preview.new)
    pictures = pictures if limit is None else min(limit, pictures)
    files = Files(folder, order_of(config, sources[:limit]))
    usage = list(iterate_records(folder.usage, Usage)) if folder.usage.exists() else []
    finished = {stage: _finished(files, stage) for stage in CHAIN}
    units, sets = _flow(pictures * config.queries_per_image, finished)
    everything = Files(folder, order_of(config, sources))
    done = {stage: sum(_finished(everything, stage)) for stage in CHAIN}
    measures = _Measures(usage, done)
    loads = [load for stage in CHAIN for load in _loads(config, stage, units[stage], measures)]
    loads = [*_renders(config, "sources", _Units(*[captions_left(config, folder)] * 2)), *loads]
    if config.cells.render:
        loads += _renders(config, "cells", _Units(_DRAWN * units["cells"].expected, units["cells"].worst))
    other = tuple(forbidden_changes(folder, config))
    return Estimate(pictures, tuple(loads), bool(usage), sets, preview, other)


def _finished(files: Files, stage: DataStage) -> tuple[int, int]:
    """Sets that a stage has let through, and that it has dropped."""
    reasons = list(files.reasons(stage).values())
    return reasons.count(PASSED), len(reasons) - reasons.count(PASSED)


def _preview(config: BuildConfig, folder: DatasetFolder, sources: list[Source]) -> Preview | None:
    if config.images.captions is not None:
        return None
    refused = iterate_records(folder.rejections, Rejection) if folder.rejections.exists() else ()
    return preview_files(config, folder, sources, (row for row in refused if row.stage == "sources"))


def _flow(queries: int, finished: Mapping[DataStage, tuple[int, int]]) -> tuple[dict[DataStage, _Units], float]:
    """What is left in each stage, and how many sets come out of the last."""
    expected = worst = float(queries)
    units: dict[DataStage, _Units] = {}
    for stage in CHAIN:
        through, dropped = finished[stage]
        done = through + dropped
        left = _Units(max(0.0, expected - done), max(0.0, worst - done))
        share = through / done if done else PASSES[stage]
        expected, worst = through + left.expected * share, through + left.worst
        units[stage] = left
    return units, expected


class _Measures:
    """Averages of what was measured."""

    def __init__(self, usage: list[Usage], done: Mapping[DataStage, int]) -> None:
        self._done = done
        self._calls: dict[tuple[str, str], int] = defaultdict(int)
        self._tokens: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in usage:
            self._calls[row.stage, row.role] += row.calls
            sums = self._tokens[row.role]
            sums[0] += row.calls - row.failed
            sums[1] += row.prompt_tokens
            sums[2] += row.completion_tokens

    def calls(self, stage: DataStage, role: str, assumed: float) -> float:
        """Per unit of a stage."""
        made = self._calls.get((stage, role), 0)
        return made / self._done[stage] if made and self._done[stage] else assumed

    def tokens(self, role: str) -> tuple[float, float]:
        """Of the prompt and of the reply, per call."""
        calls, prompt, written = self._tokens[role]
        if calls and prompt:
            return prompt / calls, written / calls
        name = PROMPTS.get(role, role) if role != "text_only" else None  # type: ignore[call-overload]
        template = len(load_prompt(name)) / _CHARACTERS_PER_TOKEN if name else 0
        picture = 0 if role in _NO_PICTURE else PICTURE_TOKENS
        return template + _MATERIAL_TOKENS + picture, _REPLY_TOKENS[role]


def _loads(config: BuildConfig, stage: DataStage, units: _Units, measures: _Measures) -> list[Load]:
    loads = []
    for role, (assumed, worst) in calls_per_set(config, stage).items():
        share = measures.calls(stage, role, assumed)
        prompt, written = measures.tokens(role)
        for name, part, worst_part in _shares(config, role):
            settings = config.models[name]
            calls = units.expected * share * part
            worst_calls = 2 * units.worst * worst * worst_part
            dear = cost_of(settings, worst_calls * 2 * prompt, worst_calls * settings.max_new_tokens)
            tokens = calls * prompt, calls * written
            loads.append(Load(stage, role, name, calls, worst_calls, *tokens, cost_of(settings, *tokens), dear))
    return [load for load in loads if load.worst_calls]


def _renders(config: BuildConfig, stage: DataStage, pictures: _Units) -> list[Load]:
    """Pictures to be drawn, which have a price each."""
    if config.renderer is None or not pictures.worst:
        return []
    price = config.renderer.price
    cost, dear = (None if price is None else price * number for number in (pictures.expected, pictures.worst))
    return [Load(stage, "render", "renderer", pictures.expected, pictures.worst, 0.0, 0.0, cost, dear)]


def _shares(config: BuildConfig, role: str) -> list[tuple[str, float, float]]:
    """Who plays a role, and the share of calls of each: votes go to the judges in turn."""
    if role in PLAYERS:
        return [(getattr(config.roles, PLAYERS[role]), 1.0, 1.0)]
    judges, votes = config.roles.judges, config.checks.votes
    weights = [1.0 if number <= votes // 2 else _SPLIT_VOTES for number in range(votes)]
    shares: dict[str, list[float]] = {name: [0.0, 0.0] for name in judges}
    for number, weight in enumerate(weights):
        shares[judges[number % len(judges)]][0] += weight / sum(weights)
        shares[judges[number % len(judges)]][1] += 1 / votes
    return [(name, expected, worst) for name, (expected, worst) in shares.items()]


def calls_per_set(config: BuildConfig, stage: DataStage) -> dict[str, tuple[float, float]]:
    """Role -> calls for one set that goes through a stage: assumed, and at most, without second requests."""
    checks = config.checks
    votes = (checks.votes // 2 + 1 + (_SPLIT_VOTES if checks.votes > 1 else 0.0), float(checks.votes))
    rewrites = (min(_REWRITTEN, checks.rewrites), float(checks.rewrites))
    tries = (min(_PICTURES_TRIED, config.cells.candidates), config.cells.candidates + float(config.cells.render))
    path = _times(votes, float(checks.path))
    once = (1.0, 1.0)
    alone = {"text_only": once, "judge_text_alone": votes, "image_only": once, "judge_image_alone": votes}
    reflection = {"reflection": (1 + rewrites[0], 1 + rewrites[1]), "rewrite": rewrites}
    last = {"reasoning": once, **reflection, "summary": once, "judge_answer": votes, "judge_path": path}
    per_stage: dict[DataStage, dict[str, tuple[float, float]]] = {
        "query": {"query": once},
        "reasoning": {"reasoning": once},
        "reflection": reflection,
        "adjudication": {**alone, "summary": once, "judge_answer": _times(votes, 2), "judge_path": path},
        "cells": {
            "counterpart": once,
            "benign": (1 + 2 * tries[0], 1 + 2 * tries[1]),
            **alone,
            **{role: _times(calls, 3) for role, calls in last.items()},
        },
    }
    return per_stage[stage]


def _times(calls: tuple[float, float], factor: float) -> tuple[float, float]:
    return calls[0] * factor, calls[1] * factor
