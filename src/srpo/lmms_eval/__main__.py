"""`python -m srpo.lmms_eval RUN FOLDER`: the samples of a run as a task of lmms-eval."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path

from srpo.errors import SrpoError
from srpo.lmms_eval import write_task


def main() -> int:
    """Status 0, or 2 after one line about what is wrong."""
    parser = ArgumentParser(prog="python -m srpo.lmms_eval", description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder that is built")
    parser.add_argument("folder", type=Path, help="where the task folder goes")
    parser.add_argument("--instruction", help="prompt file after every request; by default the run's")
    parser.add_argument("--path-format", default="six_steps", help="how the model writes its reasoning")
    parser.add_argument("--judge", type=json.loads, help="settings of a judge as JSON; by default the run's")
    given = parser.parse_args()
    try:
        write_task(
            given.run, given.folder, instruction=given.instruction, path_format=given.path_format, judge=given.judge
        )
    except SrpoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.folder}: task srpo_rsbench; name the folder to lmms-eval with --include_path")
    return 0


if __name__ == "__main__":
    sys.exit(main())
