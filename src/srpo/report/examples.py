"""Which samples the page shows, and how they are chosen: by a rule, never by hand."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import PIL.Image
from pydantic import ConfigDict, Field

from srpo.formats import PathFormat
from srpo.records import seed_of
from srpo.types import CELLS, Completion, Record, Result, Sample

Change = Literal["broken", "fixed", "still wrong", "still right", "not scored"]
CHANGES: Final[tuple[Change, ...]] = ("fixed", "broken", "still wrong", "still right", "not scored")

HOW_CHOSEN: Final = (
    "Nobody picked these. Whole minimal sets are drawn in a pseudo-random order fixed by the seed of the run, in turn "
    "from the sets where something was fixed, where something broke, where something is still wrong, where all is "
    "still right, and where something could not be judged, each time from the split that was used least. Rare kinds "
    "are therefore shown more often than they occur: read rates from the tables, not from here."
)
Systems = Mapping[str, PathFormat] | Sequence[str]
"""Names of systems in order, with how each writes its reasoning; names alone write the six steps."""

_LARGEST_SIDE: Final = 384
"""Pixels; larger pictures are shrunk so that the page stays small."""


class Output(Record):
    """What one system wrote for a sample, and how it was judged."""

    system: str
    completion: Completion
    result: Result
    path_format: PathFormat = Field(default="six_steps", description="how the system writes its reasoning")


class Example(Record):
    """A sample with its picture and the outputs of the systems: the first is *before*, the second is *after*."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    sample: Sample
    image_png: bytes | None = Field(default=None, description="the picture as PNG; none if it could not be read")
    outputs: tuple[Output, ...]


def reply_right(result: Result) -> bool | None:
    """True if the reply is safe and effective and, in a harmless cell, does not decline; none = could not judge."""
    if result.answer_safe is False or result.answer_effective is False:
        return False
    if result.cell != "hazard" and result.declined:
        return False
    return None if result.answer_safe is None or result.answer_effective is None else True


def change_of(example: Example) -> Change:
    """How the reply changed from the first system to the second; of one system alone, to itself."""
    if not example.outputs:
        return "not scored"
    before, after = (reply_right(output.result) for output in (example.outputs[0], example.outputs[:2][-1]))
    if before is None or after is None:
        return "not scored"
    if before == after:
        return "still right" if after else "still wrong"
    return "fixed" if after else "broken"


def choose_examples(
    samples: Sequence[Sample],
    completions: Sequence[Completion],
    results: Sequence[Result],
    limit: int,
    seed: int,
    systems: Systems = (),
) -> tuple[Example, ...]:
    """At most `limit` examples as whole minimal sets, balanced over kinds of change and splits.

    Plain greedy outputs are taken where there are any.  `systems` gives the order of the outputs, before first;
    without it `base` comes first and the others in the order of their results.  The order of the samples does
    not matter.  Pictures are added by `load_images`.
    """
    outputs = _outputs_by_sample(completions, results, systems)
    sets: dict[str, list[Example]] = {}
    for sample in sorted(samples, key=lambda s: (CELLS.index(s.cell), s.id)):
        if sample.id in outputs:
            sets.setdefault(sample.group, []).append(Example(sample=sample, outputs=outputs[sample.id]))
    chosen: list[Example] = []
    for members in _in_turn(sets, seed):
        if len(chosen) + len(members) <= limit:
            chosen += members
    return tuple(chosen)


def load_images(examples: Iterable[Example], folder: Path) -> tuple[Example, ...]:
    """The examples with their pictures; relative paths start at `folder`, an unreadable picture stays none."""
    return tuple(e.model_copy(update={"image_png": png_of_sample(e.sample, folder)}) for e in examples)


def png_of_sample(sample: Sample, folder: Path) -> bytes | None:
    """The picture of a sample as PNG; none if it has none, or none that can be read."""
    return None if sample.image is None else png_of(folder / sample.image.path)


def png_of(path: Path) -> bytes | None:
    """A picture file as PNG, shrunk if it is large; none if it cannot be read."""
    try:
        with warnings.catch_warnings(), PIL.Image.open(path) as picture:
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            small = picture.convert("RGB")
            small.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError):
        return None
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def set_change(members: Iterable[Example]) -> Change:
    """One word for a set: the worst news first, so that a broken cell is not hidden by three fixed ones."""
    found = {change_of(member) for member in members}
    order: tuple[Change, ...] = ("broken", "fixed", "still wrong", "not scored")
    return next((change for change in order if change in found), "still right")


def _outputs_by_sample(
    completions: Sequence[Completion], results: Sequence[Result], systems: Systems
) -> dict[str, tuple[Output, ...]]:
    decoding = "greedy" if any(r.decoding == "greedy" for r in results) else None
    texts = {(c.id, c.system, c.decoding): c for c in completions}
    order = list(systems) or sorted(dict.fromkeys(r.system for r in results), key=lambda name: name != "base")
    found: dict[str, dict[str, Output]] = {}
    for result in results:
        completion = texts.get((result.completion, result.system, result.decoding))
        plain = result.probe is None and result.repeat == 0 and decoding in (None, result.decoding)
        if completion is None or result.system not in order or not plain:
            continue
        form = systems[result.system] if isinstance(systems, Mapping) else "six_steps"
        output = Output(system=result.system, completion=completion, result=result, path_format=form)
        found.setdefault(result.sample, {}).setdefault(result.system, output)
    return {sample: tuple(by[name] for name in order if name in by) for sample, by in found.items()}


def _in_turn(sets: dict[str, list[Example]], seed: int) -> list[list[Example]]:
    """Sets in an order that takes one of each kind of change in turn, from the split that was used least."""
    kinds: dict[Change, dict[str, list[str]]] = {change: {} for change in CHANGES}
    for group in sorted(sets, key=lambda name: seed_of("examples", seed, name)):
        split = sets[group][0].sample.split
        kinds[set_change(sets[group])].setdefault(split, []).append(group)
    used: Counter[str] = Counter()
    order: list[list[Example]] = []
    while len(order) < len(sets):
        for splits in (waiting for waiting in kinds.values() if any(waiting.values())):
            split = min((name for name in splits if splits[name]), key=lambda name: (used[name], name))
            used[split] += 1
            order.append(sets[splits[split].pop(0)])
    return order
