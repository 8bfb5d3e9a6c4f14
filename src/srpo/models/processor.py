"""What turns text and pictures into ids: a processor without its video part, or a tokenizer where nothing is seen."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, signature
from typing import Any

from transformers import PROCESSOR_MAPPING, AutoConfig, AutoProcessor, AutoTokenizer
from transformers.utils import is_torchvision_available

from srpo.models.families import reads_pictures

VIDEO = "video_processor"


@cache
def images_only(kind: type[Any]) -> type[Any]:
    """The processor class `kind` with an image processor and a tokenizer only, and the same output for pictures.

    It keeps the name of `kind`, so that what it saves is loaded as `kind` where all packages are installed.
    """
    parts = [part for part in kind.get_attributes() if part != VIDEO]
    changes = {
        VIDEO: None,
        "get_attributes": classmethod(lambda cls: parts),
        # A class without a name of its own cannot be sent to the workers of a data loader.
        "__reduce__": lambda self: (_restore, (kind, self.__dict__)),
    }
    return type(kind.__name__, (kind,), changes)


def _restore(kind: Any, state: dict[str, Any]) -> Any:
    processor = object.__new__(images_only(kind))
    processor.__dict__.update(state)
    return processor


def from_pretrained(path_or_name: str, **options: Any) -> Any:
    """The processor that transformers finds, or the tokenizer of a model that takes text alone.

    Without torchvision it is the part for pictures of a processor that reads videos too, which needs packages that
    pictures do not.  Raises what `from_pretrained` of transformers raises, ImportError if the part for videos cannot be
    left out.
    """
    config = AutoConfig.from_pretrained(path_or_name)
    if not reads_pictures(config):
        return AutoTokenizer.from_pretrained(path_or_name, **options)
    if not is_torchvision_available():
        kind = PROCESSOR_MAPPING.get(type(config), None)
        if kind is not None and VIDEO in kind.get_attributes():
            if signature(kind).parameters[VIDEO].default is Parameter.empty:
                raise ImportError(f"{kind.__name__} needs torchvision")
            return images_only(kind).from_pretrained(path_or_name, **options)
    return AutoProcessor.from_pretrained(path_or_name, **options)
