"""Log-probabilities the plain way: one call of the unmodified model per path, read from full logits.

Shares no code with the rows, masks and positions under test.
"""

from __future__ import annotations

from typing import Any

import torch

from srpo.models.chat import render_messages
from srpo.models.encode import encode_prompt
from srpo.train.batch import TreeDataset


def plain(model: Any, processor: Any, data: TreeDataset) -> list[dict[int, torch.Tensor]]:
    """Log-probabilities of the reference path and of every branch, one call of the model for each."""
    results = []
    for item in (data[i] for i in range(len(data))):
        prompt = encode_prompt(processor, render_messages(item.sample, item.folder, item.instruction))
        nodes = item.tree.nodes
        trunk = [nodes[i].token_ids for i in item.tree.trunk]
        paths = {0: (prompt.ids, sum(trunk, ()))}
        for number, node in enumerate(item.tree.branches, 1):
            paths[number] = (prompt.ids + sum(trunk[: item.tree.prefix(node)], ()), nodes[node].token_ids)
        results.append({number: plain_path(model, prompt, *path) for number, path in paths.items()})
    return results


def plain_path(model: Any, prompt: Any, before: tuple[int, ...], scored: tuple[int, ...]) -> torch.Tensor:
    inputs = prompt.model_inputs(before + scored, model.device)
    logits = model(**inputs, attention_mask=torch.ones_like(inputs["input_ids"])).logits[0]
    every = logits.log_softmax(-1)[:-1].gather(1, inputs["input_ids"][0, 1:, None])[:, 0]
    return every[len(before) - 1 :]
