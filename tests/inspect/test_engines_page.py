"""The commands of `docs/engines.md` against the command line of inspect_ai, the tasks and the scorers."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from inspect_ai._cli.main import inspect as inspect_cli
from inspect_ai._util.config import parse_cli_args
from inspect_ai._util.registry import registry_lookup

import srpo.inspect
from srpo.inspect.rsbench import FLAGS
from srpo.lmms_eval.functions import NAMES
from srpo.rates import RATES
from srpo.run_config import JudgeSettings
from srpo.types import Result

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (inspect .*)$", PAGE, re.MULTILINE)
SIGNATURES: dict[str, Any] = {"srpo/rsbench": srpo.inspect.rsbench, "srpo/benchmark": srpo.inspect.benchmark}


def test_there_are_commands() -> None:
    assert {line.split()[1] for line in COMMANDS} == {"eval", "eval-set", "score"} and len(COMMANDS) == 6


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "LOG.eval").touch()
    _, name, *words = shlex.split(line)
    found = inspect_cli.commands[name].make_context(name, words).params
    if name == "score":
        assert registry_lookup("scorer", found["scorer"])
        given, takes = parse_cli_args(found["s"]), inspect.signature(srpo.inspect.rsbench_scorer)
    else:
        (task,) = found["tasks"]
        assert registry_lookup("task", task) and found["log_images"] is False
        given, takes = parse_cli_args(found["t"]), inspect.signature(SIGNATURES[task])
    takes.bind(**given)
    if "judge" in given:
        JudgeSettings.model_validate(given["judge"])


@pytest.mark.parametrize("task", SIGNATURES)
def test_every_argument_is_on_the_page(task: str) -> None:
    assert [name for name in inspect.signature(SIGNATURES[task]).parameters if f"`{name}`" not in PAGE] == []


def test_names_are_those_of_the_records() -> None:
    assert set(FLAGS) <= Result.model_fields.keys()
    assert set(NAMES) - {"unscored"} <= RATES.keys() and len(NAMES) == 10


def test_the_example_names_what_there_is() -> None:
    for name in re.findall(r"from srpo\.inspect import (.*)", PAGE)[0].split(", "):
        assert name in srpo.inspect.__all__
