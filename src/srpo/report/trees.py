"""A reasoning tree as a drawing: the reference path as trunk, and the branches that fork from its prefixes."""

from __future__ import annotations

from typing import Final, NamedTuple

from markupsafe import Markup
from pydantic import ConfigDict, Field

from srpo.report.charts import Words, svg, svg_text
from srpo.report.wording import MINUS, clip, shorten
from srpo.steps import ANSWER, TITLES, body, split
from srpo.types import Contrast, Outcome, Record, Sample, Tree

ICONS: Final[dict[Outcome, str]] = {"favourable": "✓", "unfavourable": "✕", "neutral": "○", "missing": "?"}
OUTCOME_WORDS: Final[dict[Outcome, str]] = {
    "favourable": "favourable",
    "unfavourable": "unfavourable",
    "neutral": "neutral",
    "missing": "not judged",
}
_FIRST, _END, _ICON, _WORD = 2.0, 50.0, 53.0, 55.5
_TRUNK, _BELOW, _ROW = 30, 52, 17
_LONGEST: Final = 2000
_MOST_TAGS: Final = 8
"""Letters of contrast marks in the drawing; the list below it has them all."""


class TreeView(Record):
    """A tree with what the judge said of its branches and the contrasts that were kept."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    sample: Sample
    tree: Tree
    outcomes: dict[int, Outcome] = Field(description="branch -> outcome; a branch without one is shown as not judged")
    kept: tuple[Contrast, ...] = ()
    image_png: bytes | None = None
    round: int = Field(default=1, description="of exploration; the model has been trained once less")
    later: TreeView | None = Field(default=None, description="what the model wrote for this sample in a later round")


class BranchView(NamedTuple):
    """One sampled continuation."""

    number: int
    prefix: int
    outcome: Outcome
    icon: str
    word: str
    contrasts: str
    text: str


class ForkView(NamedTuple):
    """One reference step, and the branches written instead of it and of all that follows."""

    title: str
    text: str
    branches: tuple[BranchView, ...]


def branches_of(view: TreeView) -> list[BranchView]:
    """Branches by prefix, numbered in that order."""
    last = max(len(view.tree.trunk) - 1, 0)
    places = sorted((min(view.tree.prefix(node), last), node) for node in view.tree.branches)
    return [_branch(view, number, prefix, node) for number, (prefix, node) in enumerate(places, 1)]


def forks_of(view: TreeView) -> list[ForkView]:
    """The trunk step by step, with what the model wrote instead."""
    branches = branches_of(view)
    forks = []
    for index, node in enumerate(view.tree.trunk):
        title, text = _titled(view.tree.nodes[node].text)
        forks.append(ForkView(title, text, tuple(b for b in branches if b.prefix == index)))
    return forks


def draw_tree(view: TreeView, key: str) -> Markup:
    """A dendrogram: the trunk runs to the right, branches of later forks lie nearer to it, so no lines cross."""
    branches = sorted(branches_of(view), key=lambda b: (-b.prefix, b.number))
    steps = max(len(view.tree.trunk), 1)
    parts = _trunk(view, steps)
    for row, branch in enumerate(branches):
        parts.append(_row(branch, _x(branch.prefix, steps), _BELOW + row * _ROW))
    for prefix in {b.prefix for b in branches}:
        depth = max(row for row, b in enumerate(branches) if b.prefix == prefix)
        x, y = _x(prefix, steps), _BELOW + depth * _ROW
        parts.append(Markup('<line class="drop" x1="{:.2f}%" y1="{}" x2="{:.2f}%" y2="{}"/>').format(x, _TRUNK, x, y))
        parts.append(Markup('<circle class="fork" cx="{:.2f}%" cy="{}" r="4"/>').format(x, _TRUNK))
    words = Words(key, f"Reasoning tree with {len(branches)} branches", _description(branches))
    return svg(words, _BELOW + len(branches) * _ROW + 2, parts)


def _branch(view: TreeView, number: int, prefix: int, node: int) -> BranchView:
    outcome = view.outcomes.get(node, "missing")
    tags, text = _tags(view, {node}), clip(view.tree.nodes[node].text.strip(), _LONGEST)
    return BranchView(number, prefix, outcome, ICONS[outcome], OUTCOME_WORDS[outcome], tags, text)


def _tags(view: TreeView, nodes: set[int]) -> str:
    """`1+ 3+`: in contrasts 1 and 3 a node of these is the preferred side; with a minus it is the other side."""
    tags = []
    for index, contrast in enumerate(view.kept, 1):
        tags += [f"{index}+"] * (contrast.chosen in nodes) + [f"{index}{MINUS}"] * (contrast.rejected in nodes)
    return " ".join(tags)


def _titled(text: str) -> tuple[str, str]:
    steps = split(text).steps
    if len(steps) != 1 or steps[0].name is None:
        return "Step", clip(text.strip(), _LONGEST)
    name = steps[0].name
    return ("Reply" if name == ANSWER else TITLES[name]), clip(body(steps[0]), _LONGEST)


def _trunk(view: TreeView, steps: int) -> list[Markup]:
    line = '<line class="trunk" x1="{:.2f}%" y1="{}" x2="{:.2f}%" y2="{}"/>'
    parts = [Markup(line).format(_FIRST, _TRUNK, _END, _TRUNK)]
    for index, node in enumerate(view.tree.trunk):
        title, _ = _titled(view.tree.nodes[node].text)
        middle = (_x(index, steps) + _x(index + 1, steps)) / 2
        parts.append(svg_text(middle, _TRUNK - 11, "reply" if title == "Reply" else str(index + 1), "tick", "middle"))
    parts.append(svg_text(_ICON, _TRUNK + 4, "reference path", "name"))
    parts.append(svg_text(100.0, _TRUNK + 4, shorten(_tags(view, set(view.tree.trunk)), _MOST_TAGS), "tick", "end"))
    return parts


def _row(branch: BranchView, x: float, y: float) -> Markup:
    line = '<line class="t-{}" x1="{:.2f}%" y1="{}" x2="{:.2f}%" y2="{}"/>'
    parts = [Markup(line).format(branch.outcome, x, y, _END + 1, y)]
    parts.append(svg_text(_ICON, y + 4, branch.icon, f"icon t-{branch.outcome}", "middle"))
    parts.append(svg_text(_WORD, y + 4, f"{branch.number} {branch.word}", "name"))
    parts.append(svg_text(100.0, y + 4, shorten(branch.contrasts, _MOST_TAGS), "tick", "end"))
    return Markup("").join(parts)


def _x(prefix: int, steps: int) -> float:
    return _FIRST + (_END - _FIRST) * prefix / steps


def _description(branches: list[BranchView]) -> str:
    counts = {outcome: sum(b.outcome == outcome for b in branches) for outcome in ICONS}
    return ", ".join(f"{count} {OUTCOME_WORDS[outcome]}" for outcome, count in counts.items() if count)
