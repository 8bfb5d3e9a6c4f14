"""Batched decoding of many continuations over shared prefixes.

A *trunk* is a prompt and a text after it, prefilled once; a *row* is one continuation of the trunk's first
`length` tokens.  Rows of all trunks decode in one batch.  Prefixes are right-aligned in the row cache, so that
every row appends at the same column; rows that have ended leave, and waiting rows join, when the cache is
rebuilt.  Position ids are always explicit: a model's own bookkeeping (`rope_deltas`) belongs to whatever picture
it saw last.

Shapes: B rows, N tokens, H key-value heads, L tokens of a trunk, D head width, and R rows of position ids (3 for
multimodal rotary positions, else 1).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from srpo.models.base import Limits
from srpo.models.cache import BufferLayer, right_aligned
from srpo.models.encode import PER_TOKEN, Prompt, prompt_positions
from srpo.models.families import by_depth
from srpo.models.sampling import Policy, Row

GROWTH = 64
"""Free columns of a new row cache; when they are full it is rebuilt."""


@dataclass
class Trunk:
    """A prompt, its ids with the longest text that is given after it, and the rows that fork from it."""

    prompt: Prompt
    ids: tuple[int, ...]
    rows: list[Row]
    name: Hashable = None
    """What the prompt was made of, pictures included."""


@dataclass
class Prefilled:
    """A trunk with its keys and values, [H, L, D] each per layer, and its positions [R, L]."""

    trunk: Trunk
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    positions: torch.Tensor


class KeptTrunks:
    """The longest trunk of each prompt that was computed lately; the longest unused go when there is no room."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._kept: dict[Hashable, Prefilled] = {}

    def find(self, trunk: Trunk) -> Prefilled | None:
        """The trunk with its keys and values, if it is the beginning of a kept one."""
        kept = self._kept.get(trunk.name)
        if kept is None or kept.trunk.ids[: len(trunk.ids)] != trunk.ids:
            return None
        self._kept[trunk.name] = self._kept.pop(trunk.name)
        return Prefilled(trunk, kept.layers, kept.positions)

    def add(self, new: Prefilled) -> None:
        """Keep a copy, as what was computed together shares its memory."""
        if len(new.trunk.ids) > self.max_tokens:
            return
        length = len(new.trunk.ids)
        layers = [(keys[:, :length].clone(), values[:, :length].clone()) for keys, values in new.layers]
        self._kept.pop(new.trunk.name, None)
        bare = Trunk(Prompt(new.trunk.prompt.ids, {}), new.trunk.ids, [], new.trunk.name)  # without pixels
        self._kept[new.trunk.name] = Prefilled(bare, layers, new.positions)
        while sum(len(kept.trunk.ids) for kept in self._kept.values()) > self.max_tokens:
            del self._kept[next(iter(self._kept))]


def prefill(policy: Policy, trunks: Sequence[Trunk], max_tokens: int) -> Iterator[Prefilled]:
    """Run trunks through the model, neighbours with like-shaped pictures together."""
    for _, alike in groupby(trunks, key=_picture_shapes):
        queue = list(alike)
        while queue:
            count = 1
            while count < len(queue) and (count + 1) * max(len(t.ids) for t in queue[: count + 1]) <= max_tokens:
                count += 1
            yield from _prefill_together(policy, queue[:count])
            del queue[:count]


def _picture_shapes(trunk: Trunk) -> list[tuple[str, tuple[int, ...]]]:
    extras = trunk.prompt.extras.items()
    return sorted((key, tuple(value.shape[1:])) for key, value in extras if key not in PER_TOKEN)


def _prefill_together(policy: Policy, trunks: Sequence[Trunk]) -> list[Prefilled]:
    # Filling up on the right needs no mask: attention is causal, so no real token sees the filling.  The cache keeps
    # all tokens: the model's own would forget those outside a sliding window, which an earlier fork still sees.
    length, filling = max(len(t.ids) for t in trunks), min(policy.end_ids)
    rows = [_inputs(policy, t.prompt, t.ids + (filling,) * (length - len(t.ids))) for t in trunks]
    inputs = {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
    positions = _positions(policy.model, inputs)
    output = policy.model(
        **inputs,
        attention_mask=torch.ones_like(inputs["input_ids"]),
        position_ids=_for_model(positions),
        past_key_values=DynamicCache(),
        use_cache=True,
        logits_to_keep=1,
    )
    layers = [(layer.keys, layer.values) for layer in output.past_key_values.layers]
    return [Prefilled(trunk, [(k[t], v[t]) for k, v in layers], positions[:, t]) for t, trunk in enumerate(trunks)]


def _inputs(policy: Policy, prompt: Prompt, ids: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """One row of model inputs; pixels take the model's type, as some vision towers do not convert them."""
    row = prompt.model_inputs(ids, policy.device)
    return {key: value.to(policy.model.dtype) if value.is_floating_point() else value for key, value in row.items()}


def _positions(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Positions [R, B, N] of rows that start with a prompt."""
    positions = prompt_positions(model, inputs)
    if positions is None:
        positions = by_depth(model, inputs)
    return positions if positions.dim() == 3 else positions[None]


def _for_model(positions: torch.Tensor) -> torch.Tensor:
    """Positions [R, B, N] as the model takes them: [B, N] where R = 1."""
    return positions[0] if positions.shape[0] == 1 else positions


@dataclass
class _Live:
    """A row in the cache: it fills the columns from `start` on and is fed `token` next."""

    row: Row
    start: int
    token: int


class Decoder:
    """Decodes the rows of trunks that share their prefixes."""

    def __init__(self, policy: Policy, limits: Limits, kept: KeptTrunks | None = None) -> None:
        self.policy, self.limits, self.kept = policy, limits, kept or KeptTrunks(0)
        self.live: list[_Live] = []
        self.waiting: list[tuple[Prefilled, Row]] = []
        self.column = self.capacity = 0
        self.cache = Cache(layers=[])
        self.positions = self.mask = torch.empty(0)

    def run(self, trunks: Iterator[Trunk]) -> None:
        """Decode every row; the policy's `on_finish` sees each one as it ends."""
        while True:
            kept = [i for i, live in enumerate(self.live) if live.row.finish is None]
            self._fetch(trunks, self.limits.max_rows - len(kept))
            joining = self._joining([self.live[i] for i in kept])
            if not kept and not joining:
                return
            self._rebuild(kept, joining)
            # A rebuild copies the cache: worth it once a quarter of the rows compute for nothing.
            while self.column < self.capacity and 4 * self._ended() < len(self.live):
                self._step()

    def _ended(self) -> int:
        return sum(live.row.finish is not None for live in self.live)

    def _fetch(self, trunks: Iterator[Trunk], room: int) -> None:
        """Prefill trunks until as many rows wait as there is room for."""
        fetched: list[Trunk] = []
        room -= len(self.waiting)
        while room > 0 and (trunk := next(trunks, None)) is not None:
            room -= len(trunk.rows)
            found = self.kept.find(trunk)
            if found is None:
                fetched.append(trunk)
            else:
                self._wait(found)
        for prefilled in prefill(self.policy, fetched, self.limits.max_prefill_tokens):
            self.kept.add(prefilled)
            self._wait(prefilled)

    def _wait(self, prefilled: Prefilled) -> None:
        self.waiting += [(prefilled, row) for row in prefilled.trunk.rows]

    def _joining(self, kept: Sequence[_Live]) -> list[tuple[Prefilled, Row]]:
        """Take the waiting rows that the limits allow; at least one if no row is left."""
        width = max((self.column - live.start for live in kept), default=0)
        left = max((live.row.left for live in kept), default=0)
        count = 0
        for _, row in self.waiting[: self.limits.max_rows - len(kept)]:
            width, left = max(width, row.length - 1), max(left, row.left)
            rows = len(kept) + count + 1
            if rows > 1 and rows * (width + left) > self.limits.max_cache_tokens:
                break
            count += 1
        joining, self.waiting = self.waiting[:count], self.waiting[count:]
        return joining

    def _rebuild(self, kept: list[int], joining: list[tuple[Prefilled, Row]]) -> None:
        """A new row cache: live rows first, then the joining ones; columns that nobody uses any more fall away."""
        lengths = [self.column - self.live[i].start for i in kept]
        span = max(lengths, default=0)
        # The last given token is fed, not taken from the trunk's cache: its logits choose the first new token.
        lengths += [row.length - 1 for _, row in joining]
        width = max(lengths)
        self.live = [self.live[i] for i in kept]
        self.live += [_Live(row, 0, prefilled.trunk.ids[row.length - 1]) for prefilled, row in joining]
        for live, length in zip(self.live, lengths, strict=True):
            live.start = width - length
        self.column, self.capacity = width, width + min(GROWTH, max(live.row.left for live in self.live))
        self._fill(kept, span, joining)
        fed = [prefilled.positions[:, row.length - 1] for prefilled, row in joining]
        self.positions = torch.stack([*(self.positions[:, i] for i in kept), *fed], dim=1)
        starts = torch.tensor([live.start for live in self.live], device=self.policy.device)
        self.mask = (torch.arange(self.capacity, device=starts.device) >= starts[:, None]).long()

    def _fill(self, kept: list[int], span: int, joining: list[tuple[Prefilled, Row]]) -> None:
        """Replace the cache layer by layer, so that only one layer is in memory twice."""
        layers = self.cache.layers
        for number in range(len(layers) or len(joining[0][0].layers)):
            old = layers[number].rows(kept, span) if kept else (None, None)
            sides = []
            for side in (0, 1):
                new = [(prefilled.layers[number][side], row.length - 1) for prefilled, row in joining]
                sides.append(right_aligned(old[side], new, self.column, self.capacity))
            layers[number : number + 1] = [BufferLayer(sides[0], sides[1], self.column)]

    def _step(self) -> None:
        """Feed one token per row and sample the next."""
        tokens = torch.tensor([[live.token] for live in self.live], device=self.policy.device)
        output = self.policy.model(
            input_ids=tokens,
            attention_mask=self.mask[:, : self.column + 1],
            position_ids=_for_model(self.positions[:, :, None]),
            past_key_values=self.cache,
            use_cache=True,
        )
        chosen = self.policy.choose(output.logits[:, -1], [live.row for live in self.live])
        for live, token in zip(self.live, chosen, strict=True):
            live.token = token
        self.positions = self.positions + 1
        self.column += 1


def decode_apart(policy: Policy, trunk: Trunk, max_rows: int) -> None:
    """Decode the rows of a trunk without sharing: for caches that cannot be cut at a prefix.  Correct, but slower."""
    for length, group in groupby(sorted(trunk.rows, key=lambda row: row.length), key=lambda row: row.length):
        rows = list(group)
        for begin in range(0, len(rows), max_rows):
            _decode_same_prefix(policy, trunk.prompt, trunk.ids[:length], rows[begin : begin + max_rows])


def _decode_same_prefix(policy: Policy, prompt: Prompt, ids: tuple[int, ...], rows: Sequence[Row]) -> None:
    one = _inputs(policy, prompt, ids)
    inputs = {key: torch.cat([value] * len(rows)) for key, value in one.items()}
    positions = prompt_positions(policy.model, inputs)
    if positions is None:
        _forget_positions(policy.model)
    cache = None
    while any(row.finish is None for row in rows):
        own = {} if positions is None else {"position_ids": positions}
        output = policy.model(**inputs, **own, past_key_values=cache, use_cache=True)
        tokens = policy.choose(output.logits[:, -1], rows)
        cache = output.past_key_values
        inputs = {"input_ids": torch.tensor(tokens, device=policy.device)[:, None]}
        positions = None if positions is None else positions[..., -1:] + 1


def _forget_positions(model: Any) -> None:
    """Models that keep their own account of positions would go on from the last picture they saw."""
    for module in model.modules():
        if hasattr(module, "rope_deltas"):
            module.rope_deltas = None
