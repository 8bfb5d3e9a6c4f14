"""Settings of a dataset: read, checked before anything is asked, and held against those that it began with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.licences import forbids
from srpo.data.meter import check_prices, load_server
from srpo.data.render import Renderer
from srpo.errors import ConfigError
from srpo.runs import Change

MAY_CHANGE: Final = ("response_cache", "name", "clean", "leakage")
"""Parts that change nothing that was asked: the last stage is done anew by every start."""

MODELS_MAY_CHANGE: Final = (
    "base_url",
    "max_concurrency",
    "timeout_seconds",
    "max_retries",
    "input_price",
    "output_price",
)
"""Of a model: where and how it is asked, and what it costs; not what it is asked for."""

RENDERER_MAY_CHANGE: Final = ("base_url", "price")


def may_change(change: Change, *, empty: bool = False) -> bool:
    """Whether a dataset may go on although this setting is another one than when it began.

    `empty` = no picture was taken yet, so those of pictures are free too.
    """
    parts = change.key.split(".")
    if parts[0] == "images":
        return empty
    if parts[0] == "models":
        return len(parts) == 3 and parts[2] in MODELS_MAY_CHANGE
    if parts[0] == "renderer":
        return len(parts) == 2 and parts[1] in RENDERER_MAY_CHANGE
    return parts[0] in MAY_CHANGE


def check_settings(config: BuildConfig, max_cost: float | None) -> None:
    """Raises ConfigError for settings with which a dataset could not be built."""
    if config.images.captions is not None or config.cells.render:
        _check_licence((config.images.licence or "").strip())
    if config.images.captions is not None and config.images.table is not None:
        raise ConfigError("images.table: goes with images.folder; for captions set images.licence and attribution")
    if max_cost is not None:
        check_prices(config.models.items())
        if config.renderer is not None and config.renderer.price is None:
            raise ConfigError("renderer: has no price, so --max-cost could not hold; set renderer.price")


def check_models(config: BuildConfig) -> None:
    """Raises ConfigError for a server that cannot be asked: no address, or no key.  None is asked."""
    for settings in config.models.values():
        if settings.model.startswith("openai:"):
            load_server(settings)
    if config.renderer is not None:
        Renderer(config.renderer)


def save_settings(folder: DatasetFolder, config: BuildConfig) -> None:
    """Hold the settings against those that the dataset began with, and keep them.  Raises ConfigError.

    With other settings of pictures, what was refused is looked at anew.
    """
    allowed = partial(may_change, empty=is_empty(folder))
    changes = folder.changes(config) if folder.config.exists() else []
    if any(change.key.startswith("images.") for change in changes) and all(map(allowed, changes)):
        folder.rejections.unlink(missing_ok=True)
    folder.save_config(config, allowed)


def forbidden_changes(folder: DatasetFolder, config: BuildConfig) -> list[str]:
    """Settings with which a start would be refused, because the folder's dataset began with others."""
    changes = folder.changes(config) if folder.config.exists() else []
    return [change.key for change in changes if not may_change(change, empty=is_empty(folder))]


def is_empty(folder: DatasetFolder) -> bool:
    """Whether no picture was taken yet; half a row, as a kill leaves it, is none."""
    return not folder.sources.exists() or b"\n" not in folder.sources.read_bytes()


def _check_licence(licence: str) -> None:
    """That of pictures that are drawn; those of given pictures are looked at one by one."""
    if not licence:
        raise ConfigError("images.licence: is missing; say under which licence the drawn pictures are")
    if why := forbids(licence):
        raise ConfigError(f"images.licence: {licence!r} {why}; such pictures cannot be used")


def check_prompts(folder: DatasetFolder, config: BuildConfig) -> None:
    """Raises ConfigError if a prompt of the user's is another one than when the dataset was begun."""
    for name, file in config.prompts.items():
        if folder.input_changed(Path(file).expanduser()):
            mend = "take the change back, or start a new dataset"
            raise ConfigError(f"prompts.{name}: {file} has changed since the dataset was begun; {mend}")


def input_files(config: BuildConfig) -> list[Path]:
    """Files of the user's that are read, beside pictures: those have their hashes in `sources.jsonl`."""
    named = [*config.prompts.values(), config.images.table, config.images.captions]
    return [Path(file).expanduser() for file in named if file is not None]
