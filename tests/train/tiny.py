"""Random trees for the tiny models of `tiny_families`.

The weights are drawn with a large spread, so that a wrong mask or position changes log-probabilities visibly.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage

from srpo import steps
from srpo.train import TreeDataset
from srpo.types import Contrast, Image, Node, Provenance, Sample, Sampling, Tree

sys.path.append(str(Path(__file__).parents[1]))  # for the scripts that tests start
from tiny_families import idefics3, smolvlm

__all__ = ["contrasts", "dataset", "idefics3", "sample", "smolvlm", "tree"]


def sample(folder: Path, number: int, question: str = "What now?", size: tuple[int, int] = (24, 16)) -> Sample:
    """A sample with its own random picture, written to `folder`."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = folder / f"{number}.png"
    PILImage.fromarray(pixels).save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Sample(
        id=f"s{number}",
        split="train",
        group=f"g{number}",
        cell="hazard",
        image=Image(path=path.name, sha256=digest, width=size[0], height=size[1]),
        question=question,
        category="violence",
        hypothesis="something breaks",
        reference=steps.join(["see", "ask", "both", "risk", "harm", "plan", "no"]),
        unsafe_reply="yes",
        licence="CC0-1.0",
        provenance=Provenance(producer="procedural", source="tiny"),
    )


def tree(of: Sample, words: Any, branches: int = 6, seed: int = 0, low: int = 2, high: int = 9) -> Tree:
    """The reference path of a sample and random branches; branches 2 i and 2 i + 1 continue prefix i.

    The first begins with up to two tokens of the reference, the second with up to two of the first.
    """
    rng = random.Random(seed)
    end = words.convert_tokens_to_ids("<|im_end|>")
    nodes: list[Node] = []
    texts = [step.text for step in of.reference.steps]
    for i, text in enumerate(texts):
        ids = tuple(words(text, add_special_tokens=False)["input_ids"])
        closing = (end,) if i == len(texts) - 1 else ()
        nodes.append(Node(parent=i - 1 if i else None, text=text, sampled=False, token_ids=ids + closing))
    for b in range(branches):
        prefix = (b // 2) % len(texts)
        own = [rng.randrange(256) for _ in range(rng.randint(low, high))]
        like = nodes[-1 if b % 2 else prefix].token_ids or ()
        shared = min(b % 3, len(own) - 1, len(like) - 1)
        ids = (*like[:shared], *own[shared:], end)
        nodes.append(
            Node(
                parent=prefix - 1 if prefix else None,
                text=words.decode(ids, skip_special_tokens=True),
                sampled=True,
                token_ids=ids,
                finish="stop",
            )
        )
    return Tree(id=f"t-{of.id}", sample=of.id, nodes=tuple(nodes), model="tiny", sampling=Sampling(), seed=seed)


def contrasts(of: Tree) -> list[Contrast]:
    """Neighbouring branches of one prefix: the first is favourable."""
    pairs = zip(of.branches[::2], of.branches[1::2], strict=False)
    return [
        Contrast(tree=of.id, prefix=of.prefix(a), chosen=a, rejected=b)
        for a, b in pairs
        if of.prefix(a) == of.prefix(b)
    ]


def dataset(folder: Path, words: Any, trees: int, branches: int = 6, seed: int = 0, **lengths: int) -> TreeDataset:
    """`trees` trees over as many samples; pictures differ in shape, and questions in length."""
    sizes = ((24, 16), (48, 24), (24, 24))
    samples = [sample(folder, n, "What now? " + "Hm. " * (n % 3), sizes[n % 3]) for n in range(trees)]
    grown = [tree(s, words, branches, seed + n, **lengths) for n, s in enumerate(samples)]
    return TreeDataset(samples, grown, [c for t in grown for c in contrasts(t)], folder, instruction="Think.")
