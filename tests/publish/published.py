"""A dataset folder as `srpo build` and `srpo review` leave it, made from sets of the embedded world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from srpo.config import dump_config
from srpo.data.config import BuildConfig, CleanSettings, ImageSettings, ModelSettings
from srpo.data.folder import DatasetFolder
from srpo.data.settle import sample_sha256
from srpo.records import content_id, write_records
from srpo.types import (
    CONDENSED,
    Check,
    Decision,
    Draft,
    DraftSet,
    Made,
    Rejection,
    Review,
    Sample,
    Source,
    Usage,
    Version,
    Vote,
)
from srpo.types.data import Edit
from srpo.world.dataset import WorldSettings, build_samples

PROMPT = "a" * 64
CHECKS = ("text_only", "image_only", "joint", "path")


def dataset(
    path: Path, *, train: int = 4, val: int = 2, licence: str = "CC-BY-4.0", attribution: str = "A. Painter"
) -> DatasetFolder:
    """Complete sets that nobody has reviewed, with sources, checks, rejections and usage."""
    folder = DatasetFolder(path)
    path.mkdir(parents=True)
    settings = WorldSettings(seed=7, train=train, val=val, test_scenes=0, test_combinations=0, test_rules=0)
    samples = [s.model_copy(update={"scene": None, "licence": licence}) for s in build_samples(settings, path)]
    write_config(folder)
    write_records(folder.samples, samples)
    write_records(folder.sources, {s.image.sha256: _source(s, licence, attribution) for s in samples}.values())
    groups = dict.fromkeys(sample.group for sample in samples)
    sets = [DraftSet(id=name, cells={s.cell: _draft(s) for s in samples if s.group == name}) for name in groups]
    write_records(folder.sets, sets)
    write_records(folder.rejections, [_rejection(i, *why) for i, why in enumerate(_DROPPED)])
    write_records(folder.usage, [_usage("query", 0.5), _usage("query", 0.25), _usage("reasoning", None)])
    return folder


def write_config(folder: DatasetFolder, **changes: object) -> BuildConfig:
    config = BuildConfig(
        name="world-ssui",
        images=ImageSettings(folder="pictures", licence="CC-BY-4.0"),
        models={"agent": ModelSettings(model="openai:agent"), "judge": ModelSettings(model="openai:judge")},
        clean=CleanSettings(quotas={"privacy": 3}),
        splits={"train": 0.8, "val": 0.2},
    ).model_copy(update=changes)
    folder.config.write_text(dump_config(config), encoding="utf-8")
    return config


def review(
    folder: DatasetFolder,
    samples: Sequence[Sample],
    decide: Callable[[int, str], Decision] = lambda number, name: "keep",
    *,
    edit: Edit | None = None,
) -> None:
    """Anna and Boris decide every sample; `decide` is given the sample's number and the reviewer."""
    rows = []
    for number, sample in enumerate(samples):
        for name in ("Anna Example", "Boris Example"):
            decision = decide(number, name)
            rows.append(
                Review(
                    id=content_id("review", sample.id, name),
                    sample=sample.id,
                    sample_sha256=sample_sha256(sample),
                    reviewer=name,
                    decision=decision,
                    safety=5 - number % 2,
                    difficulty=1 + (number + (name < "B")) % 3,
                    informativeness=4,
                    edit=edit if decision == "edit" else None,
                    note="a private thought",
                    blind=True,
                    time=f"2026-03-0{1 + number % 5}T10:00:00Z",
                )
            )
    write_records(folder.reviews, rows)


def _source(sample: Sample, licence: str, attribution: str) -> Source:
    name = sample.image.sha256[:16]
    return Source(
        id=name,
        image=sample.image,
        original=f"holiday/{name}.png",
        phash="f" * 16,
        licence=licence,
        attribution=attribution,
        url="https://example.invalid/picture",
    )


def _draft(sample: Sample) -> Draft:
    hazard = sample.cell == "hazard"
    votes = (
        Vote(judge="judge@1", ok=True, score=0.9, reason="It is harmless.", raw="{}"),
        Vote(judge="judge@2", ok=None, score=None),
    )
    joint = Check(name="joint", state="ok", votes=votes[:1], shown=str(sample.unsafe_reply))
    checks = [Check(name=name, state="ok", score=0.9, threshold=0.5, votes=votes) for name in CHECKS]
    checks[0] = checks[0].model_copy(update={"shown": "It depends, said a model without the picture."})
    return Draft(
        cell=sample.cell,
        source=sample.image.sha256[:16],
        image=sample.image,
        question=sample.question,
        category=sample.category,
        hypothesis=sample.hypothesis,
        safe_reply=sample.reference.steps[-1].text.removeprefix("Final answer:").strip(),
        unsafe_reply=sample.unsafe_reply,
        reference=sample.reference,
        versions=tuple(
            Version(question=sample.question, reference=sample.reference, reason=reason)
            for reason in (*(["redundant"] if hazard else []), CONDENSED)
        ),
        checks=(*checks, *([joint] if hazard else [])),
        made=(
            Made(
                role="query", model="agent", prompt_sha256=PROMPT, request_sha256="b" * 64, seed=2**62, temperature=0.7
            ),
        ),
    )


_DROPPED = (("sources", "licence"), ("adjudication", "text_only"), ("adjudication", "text_only"), ("cells", "joint"))


def _rejection(number: int, stage: str, reason: str) -> Rejection:
    return Rejection.model_validate({"id": f"r{number}", "stage": stage, "reason": reason, "detail": "as found"})


def _usage(role: str, cost: float | None) -> Usage:
    return Usage(
        stage="query", role=role, model="agent", calls=10, failed=1, prompt_tokens=1000, completion_tokens=50, cost=cost
    )
