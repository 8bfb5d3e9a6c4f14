"""Start the training stage in several processes, as `accelerate launch` does."""

from __future__ import annotations

import io
import shlex
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stderr
from pathlib import Path
from subprocess import CalledProcessError
from typing import Final

from srpo.errors import ConfigError, ModelError
from srpo.runs import RunFolder

_RECIPES: Final = Path(__file__).parent / "recipes" / "accelerate"
_BY_DEFAULT: Final = "ddp"


def launch_train(run: RunFolder, launch: str) -> None:
    """Do what `accelerate launch ... -m srpo train RUN` does and wait for all its processes.

    What ends this process ends them as well.  Raises ConfigError if `launch` cannot be understood, ModelError if one
    of the processes fails; what it says about the reason is on standard error by then.
    """
    arguments = launch_arguments(launch)
    # In this process, because the command line of accelerate would print its own stack under every error of ours.
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    command = _parse(launch_command_parser(), [*arguments, "-m", "srpo", "train", str(run.path)])
    try:
        launch_command(command)
    except SignalException as stop:
        raise SystemExit(128 + stop.sigval) from None
    except (ChildFailedError, CalledProcessError):
        raise ModelError(f"{run.path}: a process of the training failed; its own error stands above") from None
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--launch {launch}: {error}") from None


def launch_arguments(launch: str) -> list[str]:
    """Options of `accelerate launch`: a configuration file, by path or ours by name, and what stands after it.

    Options alone go on top of `ddp`.
    """
    try:
        words = shlex.split(launch)
    except ValueError as error:
        raise ConfigError(f"--launch {launch}: {error}; write it as in a shell") from None
    if any(word.replace("-", "_").startswith("__config_file") for word in words):
        return words
    file, options = (_BY_DEFAULT, words) if not words or words[0].startswith("-") else (words[0], words[1:])
    return ["--config_file", str(config_file(file)), *options]


def _parse(parser: ArgumentParser, words: list[str]) -> Namespace:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_args(words)
    except SystemExit:
        problem = said.getvalue().rpartition("error: ")[2].strip()
        raise ConfigError(f"--launch: {problem}; see `accelerate launch --help`") from None


def config_file(name: str) -> Path:
    """A configuration file of accelerate by path, or one of ours by name.  Raises ConfigError if there is none."""
    path = shipped().get(name, Path(name))
    if not path.is_file():
        problem = "no such file; give a YAML file of accelerate, or one of"
        raise ConfigError(f"--launch {name}: {problem} {', '.join(shipped())}")
    return path


def shipped() -> dict[str, Path]:
    """Our configuration files of accelerate, by name."""
    return {path.stem: path for path in sorted(_RECIPES.glob("*.yaml"))}
