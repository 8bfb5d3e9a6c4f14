"""RSBench as a task folder of lmms-eval (`docs/engines.md`), which itself is not needed to write one.

python -m srpo.lmms_eval RUN FOLDER
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from srpo.engines import RSBench
from srpo.errors import DataError
from srpo.records import write_text

FILES = ("srpo_rsbench.yaml", "functions.py", "questions.jsonl")
"""What a task folder holds.  lmms-eval finds the functions beside the YAML file."""

_FUNCTIONS = '"""What srpo_rsbench.yaml names."""\n\nfrom srpo.lmms_eval.functions import *  # noqa: F403\n'


def write_task(run: Path, folder: Path, **settings: object) -> None:
    """Write the task folder of a run's samples.

    `settings` are those of `RSBench.open`: `path_format`, `instruction`, `judge`.  Questions go out without the truth
    of the scene; the functions look it up in the run, which must stay where it is.  Raises ConfigError for a setting
    that cannot be, DataError if there is no such run, or if the folder already holds a file of that name.
    """
    given = json.dumps(settings, sort_keys=True)
    bench = RSBench.open(run, **json.loads(given))
    for name in FILES:
        if (folder / name).exists():
            raise DataError(f"{folder / name}: is there already; choose another folder, or delete it")
    rows = [
        {"sample": sample.id, "question": bench.messages(sample)[0].text, "run": str(bench.run.path), "settings": given}
        for sample in bench.samples.values()
    ]
    write_text(folder / FILES[2], "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_text(folder / FILES[1], _FUNCTIONS)
    template = (resources.files("srpo.lmms_eval") / "rsbench.yaml").read_text(encoding="utf-8")
    limit = str(bench.config.evaluate.max_new_tokens)
    path = json.dumps(str((folder / FILES[2]).absolute()), ensure_ascii=False)
    write_text(folder / FILES[0], template.replace("QUESTIONS", path).replace("MAX_NEW_TOKENS", limit))
