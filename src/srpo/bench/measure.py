"""Time, memory and tokens of the ways that are compared, in one process."""

from __future__ import annotations

import ctypes
import gc
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from srpo.bench.setting import Setting, Spread
from srpo.errors import ConfigError, ModelError
from srpo.progress import Advance
from srpo.train.logprobs import unwrap
from srpo.train.vision import language_model

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def naming(way: str, device: str) -> Iterator[None]:
    """Say which way ran out of memory, as a ModelError of one line."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(_too_big(way, device)) from error
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise ModelError(_too_big(way, device)) from error
        raise


def _too_big(way: str, device: str) -> str:
    return f"{way}: out of memory on {device}; lower --rows, --image-tokens, --branches or --step-tokens, or use --lora"


def seconds_of(
    ways: Mapping[str, Callable[[], object]], repeats: int, device: str, advance: Advance
) -> dict[str, list[float]]:
    """Wall-clock seconds of every repeat; the ways take turns, so that a slow moment of the machine hits all."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            with naming(way, device):
                _finish(device)
                start = time.perf_counter()
                run()
                _finish(device)
            seconds[way].append(time.perf_counter() - start)
            advance(1)
    return seconds


def summary(seconds: Mapping[str, list[float]]) -> tuple[dict[str, float], dict[str, Spread]]:
    """Medians, and the fastest and slowest repeat."""
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    return medians, {way: Spread(low=min(values), high=max(values)) for way, values in seconds.items()}


def over_tree(figures: Mapping[str, float]) -> dict[str, float]:
    """Every figure over that of `tree`."""
    return {way: value / figures["tree"] for way, value in figures.items() if way != "tree" and figures["tree"]}


def _finish(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(run: Callable[[], object], way: str, device: str) -> int | None:
    """Most memory in use during `run`, beyond what was in use before; none where it cannot be measured.

    CUDA: the allocator's own peak.  CPU: the kernel's peak of resident memory, which Linux lets a process reset; free
    memory goes back to the kernel first, so that one way does not live on what another has left behind.
    """
    gc.collect()
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if cuda else _reset_resident()
    with naming(way, device):
        run()
        _finish(device)
    if before is None:
        return None
    after = torch.cuda.max_memory_allocated(device) if cuda else _resident("VmHWM")
    return max(0, after - before)


def _reset_resident() -> int | None:
    """Resident bytes now, from which on the kernel's peak counts; none on systems without it."""
    if platform.system() != "Linux":
        return None
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _RESET.write_text("5")
        return _resident("VmRSS")
    except (OSError, AttributeError):
        return None


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


class TokenCounter:
    """Counts what really goes through the language model: tokens of whole prefixes, and of single decoding steps."""

    def __init__(self, model: Any) -> None:
        self.prefill = self.decode = 0
        _, decoder = language_model(unwrap(model))
        decoder.register_forward_pre_hook(self._count, with_kwargs=True)

    def take(self) -> tuple[int, int]:
        """(prefill, decode) since the last call."""
        counts = self.prefill, self.decode
        self.prefill = self.decode = 0
        return counts

    def _count(self, _: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        embedded = inputs.get("inputs_embeds")
        rows, columns = (inputs["input_ids"] if embedded is None else embedded).shape[:2]
        if columns == 1:
            self.decode += rows
        else:
            self.prefill += rows * columns


def check_device(device: str) -> None:
    """Raises ConfigError if there is no such device."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"--device {device} cannot be used ({str(error).splitlines()[0]})") from error


def describe(setting: Setting, unused: frozenset[str] = frozenset()) -> dict[str, object]:
    """All that a figure depends on: options that have a meaning here, versions, threads and the device."""
    cuda = torch.device(setting.device).type == "cuda"
    return {
        **setting.model_dump(exclude=set(unused)),
        "device_name": torch.cuda.get_device_name(setting.device) if cuda else _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("srpo", "torch", "transformers")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
