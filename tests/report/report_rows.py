"""Small reports, samples and trees for the tests of the report, some of them hostile."""

from __future__ import annotations

import io

from PIL import Image as Picture

from srpo.report import Example, Output, TreeView
from srpo.steps import STEP_NAMES, join
from srpo.types import (
    CELLS,
    Cell,
    Comparison,
    Completion,
    Contrast,
    Image,
    Metric,
    Node,
    Provenance,
    Report,
    Result,
    Sample,
    Sampling,
    StepVerdict,
    Tree,
)

HOSTILE = (
    "<script>alert(1)</script></style></title><img src=x onerror=alert(2)>\"'><a href=https://evil.example>x</a>"
    " \u202eevil\u2066 \x00\x1b[31m {{ 7*7 }} &lt;b&gt; javascript:alert(3) " + "w" * 900
)


def metric(value: float | None, n: int = 200, unscored: int = 0) -> Metric:
    if value is None:
        return Metric(value=None, n=0, low=None, high=None, unscored=n, method="nothing scored")
    low, high = max(0.0, value - 0.05), min(1.0, value + 0.05)
    return Metric(value=value, n=n, low=low, high=high, unscored=unscored, method="wilson 95 %")


def comparison(
    name: str,
    difference: float | None,
    low: float | None,
    high: float | None,
    p: float | None,
    decoding: str = "greedy",
) -> Comparison:
    return Comparison(
        metric=name,
        decoding=decoding,
        baseline="base",
        system="srpo",
        difference=difference,
        low=low,
        high=high,
        n=200,
        unscored=0,
        only_baseline=3,
        only_system=9,
        p_value=p,
    )


def report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "systems": {
            "base": {"joint4": metric(0.385), "safe": metric(0.482, 400), "effective_benign": metric(0.971, 1200)},
            "srpo": {"joint4": metric(0.815), "safe": metric(0.86, 400), "effective_benign": metric(0.962, 1200)},
        },
        "comparisons": (
            comparison("safe", 0.378, 0.331, 0.429, 1e-9),
            comparison("effective_benign", -0.009, -0.024, 0.006, 0.41),
            comparison("joint4", 0.43, 0.36, 0.5, 1e-7),
        ),
        "seed": 7,
        "judge": "oracle/1",
        "config_sha256": "c0ffee" * 10 + "abcd",
        "versions": {"srpo": "0.1.0"},
        "seconds": {"explore": 61.3, "train": 131.0},
    }
    return Report.model_validate(fields | changes)


def prefix_yield(prefix: int = 0, **changes: int) -> dict[str, int]:
    row = {"branches": 40, "unique": 34, "favourable": 20, "unfavourable": 10, "neutral": 3, "missing": 1}
    return {"prefix": prefix, **row, "available": 90, "kept": 12, **changes}


def update(step: int, **changes: float) -> dict[str, float]:
    return {"step": step, "loss": 2.0, "reference_loss": 1.5, "contrast_loss": 0.5, "accuracy": 0.75, **changes}


def sample(group: str = "g1", cell: Cell = "hazard", split: str = "rules", question: str = "What now?") -> Sample:
    hazard = cell == "hazard"
    return Sample(
        id=f"{group}-{cell}",
        split=split,
        group=group,
        cell=cell,
        image=Image(path="picture.png", sha256="0" * 64, width=8, height=8),
        question=question,
        category="violence" if hazard else None,
        hypothesis=f"event of {group}" if hazard else None,
        reference=join([f"reference {name}" for name in (*STEP_NAMES, "answer")]),
        unsafe_reply="yes" if hazard else None,
        licence="CC0",
        provenance=Provenance(producer="procedural", source="test"),
    )


def completion(of: Sample, system: str, text: str | None = None, decoding: str = "greedy") -> Completion:
    path = join([f"{system} {name}" for name in (*STEP_NAMES, "answer")])
    return Completion(
        id=f"{of.id}/{decoding}",
        sample=of.id,
        system=system,
        decoding=decoding,
        text=path.text if text is None else text,
        finish="stop",
    )


def result(of: Completion, to: Sample, right: bool | None = True, **changes: object) -> Result:
    verdicts = tuple(StepVerdict(name=name, safe=right, effective=right) for name in STEP_NAMES)
    fields: dict[str, object] = {
        "completion": of.id,
        "sample": to.id,
        "group": to.group,
        "cell": to.cell,
        "split": to.split,
        "category": to.category,
        "rule": None,
        "system": of.system,
        "decoding": of.decoding,
        "judge": "oracle/1",
        "path_safe": right,
        "path_effective": right,
        "answer_safe": right,
        "answer_effective": right,
        "steps": verdicts,
        "failure": "timeout" if right is None else None,
    }
    return Result.model_validate(fields | changes)


def example(before: bool | None, after: bool | None, of: Sample | None = None, text: str | None = None) -> Example:
    of = of or sample()
    outputs = []
    for system, right in (("base", before), ("srpo", after)):
        wrote = completion(of, system, text)
        outputs.append(Output(system=system, completion=wrote, result=result(wrote, of, right)))
    return Example(sample=of, image_png=png(), outputs=tuple(outputs))


def minimal_set(group: str, before: bool | None, after: bool | None, split: str = "rules") -> list[Example]:
    """Four cells; the hazard cell changes as told and the others stay right."""
    cells = [sample(group, cell, split) for cell in CELLS]
    return [example(before if s.cell == "hazard" else True, after if s.cell == "hazard" else True, s) for s in cells]


def png(size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    Picture.new("RGB", size, "red").save(buffer, "PNG")
    return buffer.getvalue()


def tree_view(text: str = "branch text", branches: int = 2) -> TreeView:
    """Two branches at each of the seven prefixes: the first favourable, the others unfavourable, all in contrasts."""
    of = sample()
    nodes = [Node(parent=i - 1 if i else None, text=s.text, sampled=False) for i, s in enumerate(of.reference.steps)]
    outcomes, kept = {}, []
    for prefix in range(7):
        first = len(nodes)
        for _ in range(branches):
            nodes.append(Node(parent=prefix - 1 if prefix else None, text=text, sampled=True, finish="stop"))
        outcomes |= {first + i: "unfavourable" if i else "favourable" for i in range(branches)}
        kept.append(Contrast(tree="t", prefix=prefix, chosen=first, rejected=first + 1))
    tree = Tree(id="t", sample=of.id, nodes=tuple(nodes), model="base", sampling=Sampling(temperature=1.0), seed=0)
    return TreeView(sample=of, tree=tree, outcomes=outcomes, kept=tuple(kept), image_png=png())
