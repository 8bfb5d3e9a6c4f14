"""A run's data for other trainers: TRL, ms-swift, LLaMA-Factory, verl and EasyR1 (`docs/interoperability.md`)."""

from srpo.export.examples import Example, Kind, examples_of
from srpo.export.formats import FORMATS, Format, FormatName
from srpo.export.write import Exported, Plan, export_examples, export_run

__all__ = [
    "FORMATS",
    "Example",
    "Exported",
    "Format",
    "FormatName",
    "Kind",
    "Plan",
    "examples_of",
    "export_examples",
    "export_run",
]
