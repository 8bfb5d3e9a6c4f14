"""Batched decoding of many continuations over shared prefixes.

A *trunk* is a prompt and a text after it, prefilled once; a *row* is one continuation of the trunk's first
`length` tokens.  Rows of all trunks decode in one batch.  Prefixes are right-aligned in the row cache, so that
every row appends at the same column; rows that have ended leave, and waiting rows join, when the cache is
rebuilt.  Position ids are always explicit: a model's own bookkeeping (`rope_deltas`) belongs to whatever picture
it saw last.

Shapes: T trunks, B rows, H key-value heads, D head width, L trunk length, C columns of the row cache, V vocabulary,
R rows of position ids (3 for multimodal rotary positions, else 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from srpo.models.encode import Prompt, prompt_positions
from srpo.models.sampling import sample_tokens
from srpo.types import Finish, Sampling

GROWTH = 64
"""Free columns of a new row cache; when they are full it is rebuilt."""


@dataclass(frozen=True)
class Limits:
    """Size of a batch."""

    max_rows: int = 256
    max_cache_tokens: int = 262_144
    """Rows times columns of the row cache, at its widest."""
    max_prefill_tokens: int = 16_384
    """Tokens of the trunks that are prefilled together; a longer one goes alone."""


@dataclass
class Row:
    """One continuation: `length` tokens are given, `ids` are sampled."""

    index: int
    length: int
    sampling: Sampling
    uniforms: Sequence[float]
    """A number in [0, 1) per token, drawn ahead: neither the batch nor its order has an influence."""
    ids: list[int] = field(default_factory=list)
    finish: Finish | None = None

    @property
    def left(self) -> int:
        """Tokens that may still be sampled."""
        return self.sampling.max_new_tokens - len(self.ids)


@dataclass
class Trunk:
    """A prompt, its ids with the longest text that is given after it, and the rows that fork from it."""

    prompt: Prompt
    ids: tuple[int, ...]
    rows: list[Row]


@dataclass
class Policy:
    """The model with what decides its next token; the same for every row."""

    model: Any
    banned: list[int]
    end_ids: frozenset[int]
    on_finish: Callable[[Row], None]

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    def choose(self, logits_BV: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        """Sample one token per row; rows that have ended keep theirs out of the text."""
        logits_BV = logits_BV.float()
        logits_BV[:, self.banned] = -torch.inf
        settings = [(r.sampling.temperature, r.sampling.top_p, r.uniforms[len(r.ids)] if r.left else 0.0) for r in rows]
        temperature_B, top_p_B, uniform_B = torch.tensor(settings, dtype=torch.float64, device=logits_BV.device).unbind(1)
        tokens: list[int] = sample_tokens(logits_BV, temperature_B, top_p_B, uniform_B).tolist()
        for row, token in zip(rows, tokens, strict=True):
            if row.finish is None:
                self._append(row, token)
        return tokens

    def _append(self, row: Row, token: int) -> None:
        row.ids.append(token)
        if token in self.end_ids:
            row.finish = "stop"
        elif row.left == 0:
            row.finish = "length"
        if row.finish is not None:
            self.on_finish(row)


class BufferLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
    """A cache layer over preallocated buffers [B, H, capacity, D]: a step writes one column instead of copying all."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.buffers = (keys, values)
        self._show(length)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new columns; returns all that are filled."""
        begin, end = self.length, self.length + key_states.shape[-2]
        self.buffers[0][:, :, begin:end] = key_states
        self.buffers[1][:, :, begin:end] = value_states
        self._show(end)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Filled columns."""
        return self.length

    def _show(self, length: int) -> None:
        self.length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)


@dataclass
class Prefilled:
    """A trunk with its keys and values, [H, L, D] each per layer, and its positions [R, L]."""

    trunk: Trunk
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    positions: torch.Tensor


def prefill(policy: Policy, trunks: Sequence[Trunk], max_tokens: int) -> Iterator[Prefilled]:
    """Run trunks through the model, those with like-shaped pictures together."""
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
    return sorted((key, tuple(value.shape[1:])) for key, value in extras if not key.endswith("token_type_ids"))


def _prefill_together(policy: Policy, trunks: Sequence[Trunk]) -> list[Prefilled]:
    # Filling up on the right needs no mask: attention is causal, so no real token sees the filling.
    length, filling = max(len(t.ids) for t in trunks), min(policy.end_ids)
    rows = [t.prompt.model_inputs(t.ids + (filling,) * (length - len(t.ids)), policy.device) for t in trunks]
    inputs = {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
    positions = prompt_positions(policy.model, inputs)
    positions = positions if positions.dim() == 3 else positions.expand(len(trunks), -1)[None]
    output = policy.model(
        **inputs,
        attention_mask=torch.ones_like(inputs["input_ids"]),
        position_ids=_for_model(positions),
        use_cache=True,
        logits_to_keep=1,
    )
    layers = [(layer.keys, layer.values) for layer in output.past_key_values.layers]
    return [Prefilled(trunk, [(k[t], v[t]) for k, v in layers], positions[:, t]) for t, trunk in enumerate(trunks)]


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

    def __init__(self, policy: Policy, limits: Limits) -> None:
        self.policy, self.limits = policy, limits
        self.live: list[_Live] = []
        self.waiting: list[tuple[Prefilled, Row]] = []
        self.column = self.capacity = 0
        self.cache = Cache(layers=[])
        self.positions = torch.empty(0)
        self.mask = torch.empty(0)

    def run(self, trunks: Iterator[Trunk]) -> None:
        """Decode every row; the policy's `on_finish` sees each one as it ends."""
        while True:
            kept = [i for i, live in enumerate(self.live) if live.row.finish is None]
            self._fetch(trunks, self.limits.max_rows - len(kept))
            joining = self._joining([self.live[i] for i in kept])
            if not kept and not joining:
                return
            self._rebuild(kept, joining)
            while self.column < self.capacity and 4 * self._ended() < len(self.live):
                self._step()

    def _ended(self) -> int:
        return sum(live.row.finish is not None for live in self.live)

    def _fetch(self, trunks: Iterator[Trunk], room: int) -> None:
        """Prefill trunks until as many rows wait as there is room for."""
        fetched: list[Trunk] = []
        while room > len(self.waiting) + sum(len(t.rows) for t in fetched):
            more = list(islice(trunks, 1))
            if not more:
                break
            fetched += more
        for prefilled in prefill(self.policy, fetched, self.limits.max_prefill_tokens):
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
        capacity = width + min(GROWTH, max(live.row.left for live in self.live))
        # Layer by layer, so that only one layer is in memory twice.
        for number in range(len(self.cache.layers) or len(joining[0][0].layers)):
            old = [buffer[kept, :, self.column - span : self.column] for buffer in self.cache.layers[number].buffers] if kept else None
            new = [_right_aligned(old and old[s], [(p.layers[number][s], r.length - 1) for p, r in joining], width, capacity) for s in (0, 1)]
            self._put(number, BufferLayer(new[0], new[1], width))
        fed = [prefilled.positions[:, row.length - 1] for prefilled, row in joining]
        self.positions = torch.stack([*(self.positions[:, i] for i in kept), *fed], dim=1)
        starts = torch.tensor([live.start for live in self.live], device=self.policy.device)
        self.mask = (torch.arange(capacity, device=starts.device) >= starts[:, None]).long()
        self.column, self.capacity = width, capacity

    def _put(self, number: int, layer: BufferLayer) -> None:
        if number < len(self.cache.layers):
            self.cache.layers[number] = layer
        else:
            self.cache.layers.append(layer)

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


def _right_aligned(
    old: torch.Tensor | None, joining: Sequence[tuple[torch.Tensor, int]], width: int, capacity: int
) -> torch.Tensor:
    """One side of a layer's cache [B, H, capacity, D], filled up to column `width`.

    `old` [B', H, C, D] are the rows that stay; `joining` are trunks [H, L, D] with the number of columns to take.
    """
    like = joining[0][0] if old is None else old[0]
    stay = 0 if old is None else old.shape[0]
    # Zeros, not empty: a masked column still takes part in the sum, and 0 * nan is nan.
    new = like.new_zeros(stay + len(joining), like.shape[0], capacity, like.shape[2])
    if old is not None:
        new[:stay, :, width - old.shape[2] : width] = old
    for number, (trunk, length) in enumerate(joining, stay):
        new[number, :, width - length : width] = trunk[:, :length]
    return new


def decode_apart(policy: Policy, trunk: Trunk, max_rows: int) -> None:
    """Decode the rows of a trunk without sharing: for caches that cannot be cut at a prefix.  Correct, and slower."""
    for length, group in groupby(sorted(trunk.rows, key=lambda row: row.length), key=lambda row: row.length):
        rows = list(group)
        for begin in range(0, len(rows), max_rows):
            _decode_same_prefix(policy, trunk.prompt, trunk.ids[:length], rows[begin : begin + max_rows])


def _decode_same_prefix(policy: Policy, prompt: Prompt, ids: tuple[int, ...], rows: Sequence[Row]) -> None:
    one = prompt.model_inputs(ids, policy.device)
    positions = prompt_positions(policy.model, one)
    positions = (positions if positions.dim() == 3 else positions[None]).expand(-1, len(rows), -1)
    inputs: dict[str, Any] = {key: torch.cat([value] * len(rows)) for key, value in one.items()}
    cache = None
    while any(row.finish is None for row in rows):
        output = policy.model(**inputs, position_ids=_for_model(positions), past_key_values=cache, use_cache=True)
        tokens = policy.choose(output.logits[:, -1], rows)
        cache = output.past_key_values
        inputs = {"input_ids": torch.tensor(tokens, device=policy.device)[:, None]}
        positions = positions[:, :, -1:] + 1


def shares_prefixes(model: Any, ids: Sequence[int]) -> bool:
    """Whether a prefix can be cut out of the model's cache: plain layers only, and no token sees a later one.

    `ids` are three or more tokens of text to try it on.
    """
    row = torch.tensor([list(ids)], device=model.device)
    positions = torch.arange(len(ids), device=model.device)[None]
    whole = model(input_ids=row, position_ids=positions, use_cache=True)
    part = model(input_ids=row[:, :-1], position_ids=positions[:, :-1], use_cache=True)
    layers = getattr(whole.past_key_values, "layers", [])
    if not layers or any(type(layer) is not DynamicLayer or layer.get_seq_length() != len(ids) for layer in layers):
        return False
    before, alone = whole.logits[0, -2].float(), part.logits[0, -1].float()
    return bool((before - alone).abs().max() <= 0.05 * alone.abs().max())
