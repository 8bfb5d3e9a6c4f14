"""Log-probabilities of all paths of a micro-batch, in one padded forward pass where pictures allow it.

Shapes: P scored tokens, U different ones of them, A position axes; see `srpo.train.attention` for the tensors of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from srpo.models.encode import PER_TOKEN, Prompt
from srpo.models.families import Positions, family_of
from srpo.train.attention import attention_inputs, own_positions, row_ids, row_positions
from srpo.train.batch import TreeExample
from srpo.train.logprobs import token_logps, unwrap
from srpo.train.lru import LRU
from srpo.train.pack import Row
from srpo.train.vision import VisionFeatures, encoded_images, stacked_images

PathLogps = dict[int, torch.Tensor]
"""Token log-probabilities [T] by path number, 0 = reference path."""

_POSITION_BYTES = 2**26


def unscored(example: TreeExample, device: torch.device) -> PathLogps:
    """A constant for every token of an example: -1, where all objectives are finite."""
    paths = [path for row in example.rows for path in row.scored]
    return {path.path: torch.full((len(path.targets),), -1.0, device=device) for path in paths}


class TreeScorer:
    """Scores examples with one model; keeps prompt positions and, if `vision` is given, image features.

    `vision` is for a frozen vision tower and connector only: its features carry no gradient.
    """

    def __init__(self, vision: VisionFeatures | None) -> None:
        self.vision = vision
        self._positions: LRU[tuple[str | None, tuple[int, ...]], torch.Tensor] = LRU(_POSITION_BYTES)

    def __call__(self, model: Any, examples: Sequence[TreeExample]) -> list[PathLogps]:
        """Log-probabilities per example, in float32 or wider, with gradients."""
        results: list[PathLogps] = [{} for _ in examples]
        for group in self._groups(examples):
            rows = [(i, row) for i in group for row in examples[i].rows]
            owners = [(i, path.path, len(path.targets)) for i, row in rows for path in row.scored]
            logps_P = self._forward(model, [examples[i] for i, _ in rows], [row for _, row in rows])
            parts = torch.split(logps_P, [length for *_, length in owners])
            for (i, path, _), logps_T in zip(owners, parts, strict=True):
                results[i][path] = logps_T
        return results

    def _groups(self, examples: Sequence[TreeExample]) -> list[list[int]]:
        """Examples that fit into one forward pass: pixels must have equal shapes, features need not."""
        if self.vision is not None:
            return [list(range(len(examples)))]
        groups: dict[tuple[object, ...], list[int]] = {}
        for i, example in enumerate(examples):
            shapes = tuple((k, t.shape[1:]) for k, t in example.extras.items() if k not in PER_TOKEN)
            groups.setdefault(shapes, []).append(i)
        return list(groups.values())

    def _forward(self, model: Any, examples: Sequence[TreeExample], rows: Sequence[Row]) -> torch.Tensor:
        """Scored tokens of the rows in order, [P]; `examples` gives the owner of each row."""
        core = unwrap(model)
        device = core.device
        # Nothing sees padding; a text token asks for no image features.
        ids_BN = row_ids(rows, pad=rows[0].ids[-1], device=device)
        inputs = {
            "input_ids": ids_BN,
            **self._placed(core, examples, rows),
            **attention_inputs(core, rows, device),
            **self._images(model, examples, device),
        }
        length = ids_BN.shape[1]
        wanted_P2 = torch.tensor(
            [
                (b * length + read, target)
                for b, row in enumerate(rows)
                for path in row.scored
                for read, target in zip(path.reads, path.targets, strict=True)
            ]
        )
        # What paths share is scored once: the head is dear where the vocabulary is large.
        once_U2, place_P = (t.to(device) for t in torch.unique(wanted_P2, dim=0, return_inverse=True))
        logps_U = token_logps(model, inputs, once_U2[:, 0], once_U2[:, 1])
        return logps_U.index_select(0, place_P)

    def _images(self, model: Any, examples: Sequence[TreeExample], device: torch.device) -> dict[str, Any]:
        if self.vision is not None:
            seen = [(example.image, example.extras) for example in examples]
            found = [self.vision.get(model, image, extras) for image, extras in seen if image is not None]
            return encoded_images(model, found) if found else {}
        return {key: tensor.to(device) for key, tensor in stacked_images([e.extras for e in examples]).items()}

    def _placed(self, core: Any, examples: Sequence[TreeExample], rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Position ids, or what a model makes them of if only it knows them."""
        find = family_of(core.config).positions
        if find is None:
            found = own_positions(rows, [example.extras for example in examples])
            return {key: tensor.to(core.device) for key, tensor in found.items()}
        pairs = zip(examples, rows, strict=True)
        prompts = [self._prompt_positions(core, find, example, row) for example, row in pairs]
        return {"position_ids": row_positions(rows, prompts, core.device)}

    def _prompt_positions(self, core: Any, find: Positions, example: TreeExample, row: Row) -> torch.Tensor:
        """The model's positions of the prompt and of one text token after it, [A, P + 1]."""
        key = (example.image, row.ids[: row.prompt])
        positions = self._positions.get(key)
        if positions is None:
            light = {k: t for k, t in example.extras.items() if not k.startswith("pixel")}
            prompt = Prompt(row.ids[: row.prompt], light)
            # The first token of any path is text, so it may stand for the token after the prompt.
            following = row.ids[: row.prompt + 1]
            positions = find(core, prompt.model_inputs(following, torch.device("cpu")))
            positions = positions if positions.ndim == 2 else positions[:, 0]
            # The key holds the prompt's ids, about 36 bytes each.
            self._positions.put(key, positions, positions.nbytes + 36 * row.prompt)
        return positions
