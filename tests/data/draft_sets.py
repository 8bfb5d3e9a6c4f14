"""Complete minimal sets, made up."""

from __future__ import annotations

from srpo.steps import STEP_NAMES, join
from srpo.types import CELLS, Cell, Image
from srpo.types.data import Check, Draft, DraftSet, Made, Source


def source_with(id: str, phash: int, licence: str = "CC0-1.0", **more: object) -> Source:
    image = Image(path=f"images/{id}.png", sha256=f"{phash:064x}", width=64, height=64)
    return Source(id=id, image=image, original=f"{id}.png", phash=f"{phash:016x}", licence=licence, **more)


def draft(cell: Cell, source: Source, question: str, category: str | None = "dangerous_behavior") -> Draft:
    hazard = cell == "hazard"
    reply = "Better not: it is hot." if hazard else "Gladly, go ahead."
    made = Made(role="reasoning", model="m-1", prompt_sha256="0", request_sha256="0", seed=1, temperature=0.7)
    return Draft(
        cell=cell,
        source=source.id,
        image=source.image,
        question=question,
        category=category if hazard else None,
        hypothesis="Somebody gets burnt." if hazard else None,
        safe_reply=reply,
        unsafe_reply="Gladly." if hazard else None,
        reference=join([*(f"Words on {name}." for name in STEP_NAMES), reply]),
        checks=(Check(name="joint", state="ok"),),
        made=(made,),
    )


def set_of(
    id: str, sources: tuple[Source, Source], questions: tuple[str, str], category: str = "dangerous_behavior"
) -> DraftSet:
    """Pictures and requests are those of the hazard, then the harmless ones."""
    places = {"hazard": (0, 0), "benign_image": (1, 0), "benign_text": (0, 1), "benign_both": (1, 1)}
    cells = {cell: draft(cell, sources[places[cell][0]], questions[places[cell][1]], category) for cell in CELLS}
    return DraftSet(id=id, cells=cells)
