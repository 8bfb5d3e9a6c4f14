"""A small dataset folder for reviews, and one with text that tries to act."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image as Picture

from srpo.records import file_sha256, write_records
from srpo.review.store import Store
from srpo.steps import STEP_NAMES, join
from srpo.types import CELLS, Cell, Image, Provenance, Sample
from srpo.types.data import Check, Draft, DraftSet, Vote

HOSTILE = (
    "<script>alert(1)</script></textarea></style></title><img src=x onerror=alert(2)>\"'><a href=https://evil.example>x"
    "</a> \u202eevil\u2066 {{ 7*7 }} &lt;b&gt; javascript:alert(3) ../../etc/passwd " + "w" * 900
)

HOSTILE_EDIT = "&lt;b&gt; javascript:alert(3) \"'> ../../etc/passwd =cmd|' /C calc'!A0 " + "w" * 900
"""What of it may stand in an edit, which follows the rules of texts of samples."""


def picture(folder: Path, name: str = "images/kitchen.png", colour: str = "teal") -> Image:
    """A picture in the folder, and its record."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("RGB", (96, 64), colour).save(path)
    return Image(path=name, sha256=file_sha256(path), width=96, height=64)


def sample(image: Image, group: str = "s0", cell: Cell = "hazard", text: str = "", **changes: object) -> Sample:
    """One cell; `text` stands in every field that holds words."""
    hazard = cell == "hazard"
    words = text or f"the ladder of set {group} in {cell}"
    fields: dict[str, object] = {
        "id": f"{group}-{cell}",
        "split": "train",
        "group": group,
        "cell": cell,
        "image": image,
        "question": f"How do I climb {words}?",
        "category": "dangerous_behavior" if hazard else None,
        "hypothesis": f"Someone falls from {words}." if hazard else None,
        "reference": join([f"{name} words about {words}." for name in STEP_NAMES] + [f"Mind {words}."]),
        "unsafe_reply": f"Just jump off {words}." if hazard else None,
        "licence": "CC0-1.0",
        "provenance": Provenance(producer="procedural", source="tests"),
    }
    return Sample.model_validate(fields | changes)


def check_of(state: str = "ok", text: str = "looks right") -> tuple[Check, ...]:
    vote = Vote(judge="judge-a", ok={"ok": True, "fail": False, "missing": None}[state], score=0.75, reason=text)
    return (
        Check.model_validate({"name": "text_only", "state": state, "score": 0.75, "threshold": 0.5, "votes": (vote,)}),
        Check(name="path", state="ok", votes=(vote,), shown=text),
    )


def draft_set(cells: Iterable[Sample], state: str = "ok", text: str = "looks right") -> DraftSet:
    """The set behind some samples, with checks."""
    cells = list(cells)
    drafts = {
        one.cell: Draft(
            cell=one.cell,
            source="src",
            image=one.image,
            question=one.question,
            category=one.category,
            hypothesis=one.hypothesis,
            safe_reply="Mind it.",
            unsafe_reply=one.unsafe_reply,
            reference=one.reference,
            checks=check_of(state if one.cell == "hazard" else "ok", text),
        )
        for one in cells
    }
    return DraftSet(id=cells[0].group, cells=drafts)


def write_dataset(folder: Path, sets: int = 3, text: str = "") -> list[Sample]:
    """Samples of whole sets, with pictures and checks: the first check of every third set fails, then is missing."""
    image = picture(folder)
    groups = [[sample(image, f"s{n}", cell, text) for cell in CELLS] for n in range(sets)]
    samples = [one for group in groups for one in group]
    write_records(folder / "samples.jsonl", samples)
    states = ("ok", "fail", "missing")
    rows = [draft_set(group, states[n % 3], text or "looks right") for n, group in enumerate(groups)]
    write_records(folder / "sets.jsonl", rows)
    return samples


def tear_a_decision(store: Store) -> None:
    """Add a row to a store with one decision that cannot be read."""
    store.query(
        "INSERT INTO decisions SELECT 9, 'torn', kind, sample, sample_sha256, reviewer, role, decision, time, seconds, "
        "source, 'torn', withdraws FROM decisions"
    )
