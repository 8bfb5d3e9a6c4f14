"""Write a tiny random model and its processor for every model family.

    python scripts/make_tiny_models.py OUT [FAMILY...]

The folders are like those of real models, a few hundred kilobytes each, so that every command and test of this project
can be tried without weights.  They are made by the builders that the tests use (`tests/tiny_families.py`).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
families: Any = importlib.import_module("tiny_families")


def make(out: Path, family: str) -> str:
    """Save one family below `out` and load it again; one line that says what came of it."""
    from srpo.errors import ModelError
    from srpo.models.hf import load_hf

    folder = out / family
    model, processor = families.build(family)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    try:
        load_hf(str(folder), device="cpu")
    except ModelError as error:
        return f"{folder}: written; here it cannot be loaded: {error}"
    return f"{folder}: {type(model).__name__}, {model.num_parameters():,} parameters"


def main() -> None:
    every = {**families.BUILDERS, **families.HYBRIDS}
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"all by default: {', '.join(every)}")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.families) - set(every))
    if unknown:
        parser.error(f"no family {unknown[0]}; there are {', '.join(every)}")
    for family in arguments.families or every:
        print(make(arguments.out, family))


if __name__ == "__main__":
    main()
