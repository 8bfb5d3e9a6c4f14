"""Columns of the Parquet files, derived from the fields of `Row`; loaded only where Parquet is written."""

from __future__ import annotations

import types
from importlib import import_module
from typing import Any, Final, Union, get_args, get_origin

from srpo.errors import ConfigError
from srpo.publish.rows import Row, Tier, columns
from srpo.types import Record

_SCALARS: Final[dict[object, str]] = {str: "string", int: "int64", float: "float64", bool: "bool"}


def features(tier: Tier) -> Any:
    """`datasets.Features`: the picture with its bytes, then all columns.  Raises ConfigError without `datasets`."""
    datasets = load("datasets")
    of_row = {name: _feature(datasets, Row.model_fields[name].annotation) for name in columns(tier)}
    return datasets.Features({"image": datasets.Image(), **of_row})


def load(name: str) -> Any:
    """A library of the extra `data`.  Raises ConfigError that says how to install it."""
    try:
        return import_module(name)
    except ImportError:
        library = name.partition(".")[0]
        raise ConfigError(f'publishing needs {library}, which is not installed; pip install "srpo[data]"') from None


def _feature(datasets: Any, annotation: Any) -> Any:
    """Every column may be null, so that `X | None` is what `X` is."""
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is tuple:
        return datasets.List(_feature(datasets, get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return {name: _feature(datasets, field.annotation) for name, field in annotation.model_fields.items()}
    return datasets.Value(_SCALARS.get(annotation, "string"))
