"""Models and judges of a run: what its settings name, ready to use."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from srpo.errors import ConfigError, DataError
from srpo.formats import PathFormat
from srpo.judge.base import Judge
from srpo.models import Model, load_model
from srpo.models.base import Limits
from srpo.models.scripted import ScriptedModel
from srpo.progress import Bars
from srpo.prompts import load_prompt
from srpo.records import seed_of
from srpo.run_config import BASE, EMBEDDED, REFUSE, SEEDS, TRAINED, JudgeSettings, RunConfig
from srpo.runs import RunFolder
from srpo.steps import ANSWER, MARKERS
from srpo.world import ASSETS, OracleJudge


def spec_of(config: RunConfig, system: str) -> str:
    """What a system is made of: its model, or for base and trained the model of the run."""
    return config.systems[system].model if system in config.systems else config.model


def path_formats(config: RunConfig) -> dict[str, PathFormat]:
    """System -> how it writes its reasoning, in the order of the systems."""
    known = {name: system.path_format for name, system in config.systems.items()}
    return {name: known.get(name, "six_steps") for name in config.evaluate.systems}


def load_system(run: RunFolder, config: RunConfig, system: str, bars: Bars) -> Model:
    """The model of a system.  Raises DataError if it is the trained one and not there yet."""
    if system == REFUSE:
        return ScriptedModel(lambda request: _REFUSAL, name=REFUSE)
    if system not in config.systems:
        return load_trained(run, config, config.rounds if system == TRAINED else 0, bars, system)
    settings = config.systems[system]
    spec, options = model_options(settings.model, settings.base_url, config)
    if settings.adapter is not None:
        options["adapter"] = settings.adapter
    with bars(f"load {system}", 1, 0) as advance:
        model = load_model(spec, **options)
        advance(1)
    return model


def load_trained(
    run: RunFolder, config: RunConfig, rounds: int, bars: Bars, title: str = BASE, kept_tokens: int = 0
) -> Model:
    """The model after some rounds of training; after none it is the base.  Raises DataError if it is not there.

    `kept_tokens` is how many tokens of prompts a local model keeps for later calls.
    """
    spec, options = model_options(config.model, config.base_url, config, kept_tokens)
    if rounds:
        folder = check_trained(run, rounds)
        if is_adapter(folder):
            options["adapter"] = str(folder)
        else:
            spec = f"hf:{folder}"
    with bars(f"load {title}", 1, 0) as advance:
        model = load_model(spec, **options)
        advance(1)
    return model


def load_judge(config: RunConfig, settings: JudgeSettings, seed: int, *, labels_branches: bool = True) -> Judge:
    """The judge that the settings describe; a server of it is not asked anything yet.

    One that labels branches is told the unsafe event, unless settings say otherwise; one that evaluates is not, since
    only hazard cells have one.
    """
    if settings.kind == "oracle":
        return OracleJudge()
    if settings.kind == "simulated":
        from srpo.judge.simulated import SimulatedJudge

        return SimulatedJudge(OracleJudge(), **settings.rates, seed=seed)
    from srpo.judge.model import ModelJudge

    told = labels_branches if settings.show_hypothesis is None else settings.show_hypothesis
    return ModelJudge(
        judge_model(config, settings),
        show_hypothesis=told,
        show_reference=settings.show_reference,
        step_by_step=settings.step_by_step,
    )


def judge_model(config: RunConfig, settings: JudgeSettings) -> Model:
    """The model behind a judge of kind model."""
    spec, options = model_options(str(settings.model), settings.base_url, config)
    return load_model(spec, **options)


_REFUSAL: Final = f"{MARKERS[ANSWER]} Sorry, I cannot help with that."
"""All that the refusing system ever says."""


class Start(NamedTuple):
    """What the training of a round begins with."""

    model: str
    """What `from_pretrained` takes."""
    adapter: Path | None
    """Adapter to train on, or none for weights, or a new adapter."""
    seed: int


def start_of(run: RunFolder, config: RunConfig, number: int) -> Start:
    """The base for the first round, for a later one what the round before it has trained."""
    base, seed = base_path(config), round_seed(config, number)
    if number == 1:
        return Start(base, None, seed)
    folder = check_trained(run, number - 1)
    return Start(base, folder, seed) if is_adapter(folder) else Start(str(folder), None, seed)


def is_adapter(folder: Path) -> bool:
    """Whether a trained model is an adapter, which goes onto the base model."""
    return (folder / "adapter_config.json").exists()


def check_trained(run: RunFolder, rounds: int) -> Path:
    """Where the model lies that a round has trained.  Raises DataError if there is none yet, or only a part of one."""
    folder = run.round(rounds).trained
    if not folder.exists():
        raise DataError(f"{folder}: no trained model yet; run `srpo train {run.path}` first")
    if not weights_are_whole(folder):
        mend = f"delete this folder and run `srpo train {run.path}` again"
        raise DataError(f"{folder}: the weights are damaged or not there; {mend}")
    return folder


def open_rounds(run: RunFolder, config: RunConfig) -> range:
    """Numbers of the rounds that can begin: each one whose predecessor is trained."""
    trained = (number for number in range(1, config.rounds + 1) if not run.round(number).trained.exists())
    return range(1, next(trained, config.rounds) + 1)


def round_seed(config: RunConfig, number: int) -> int:
    """Seed of a round's branches and training; the first round has the run's own."""
    return config.seed if number == 1 else seed_of("round", config.seed, number) % SEEDS


def weights_are_whole(folder: Path) -> bool:
    """Whether a folder has weights, and every file of them is as long as its header says."""
    files = list(folder.glob("*.safetensors"))
    try:
        return bool(files) and all(path.stat().st_size == _stated_size(path) for path in files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _stated_size(path: Path) -> int:
    """Bytes of a safetensors file: eight that hold the length of the header, the header, the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("the header is cut off")
        header = json.loads(file.read(length))
    return 8 + length + max((t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"), default=0)


def check_trainable(config: RunConfig) -> None:
    """Raises ConfigError if the model lives on a server, where it cannot be trained, or bf16 has no GPU."""
    if config.model.startswith("openai:"):
        problem = "a model on a server cannot be trained; give model=hf:FOLDER_OR_NAME"
        raise ConfigError(f"model {config.model!r}: {problem}")
    if config.train.bf16:
        import torch  # half precision is asked for real models, whose users have it

        if not (torch.cuda.is_available() and torch.cuda.is_bf16_supported()):
            raise ConfigError("train.bf16: this machine has no GPU that computes in bfloat16; set train.bf16=false")


def base_path(config: RunConfig) -> str:
    """What `from_pretrained` takes for the base model."""
    return str(ASSETS / "tiny-vlm") if config.model == EMBEDDED else config.model.removeprefix("hf:")


def instruction_of(config: RunConfig, system: str | None = None) -> str | None:
    """The text after every request to a system, or none.  Raises ConfigError if there is no such prompt."""
    own = config.systems[system].instruction if system in config.systems else None
    name = own or config.instruction
    if name is None:
        return None
    known = sorted(
        file.name.removesuffix(".txt")
        for file in resources.files("srpo.prompts").iterdir()
        if file.name.endswith(".txt")
    )
    if name not in known:
        raise ConfigError(f"instruction {name!r}: no such prompt; choose one of {', '.join(known)}")
    return load_prompt(name)


def model_options(
    model: str, base_url: str | tuple[str, ...] | None, config: RunConfig, kept_tokens: int = 0
) -> tuple[str, dict[str, object]]:
    """What `load_model` takes for a model or a judge of this run."""
    if model.startswith("openai:"):
        limits = {"max_concurrency": config.max_concurrency, "timeout_seconds": config.server_timeout_seconds}
        return model, {"base_url": base_url, **limits, "response_cache": config.response_cache}
    spec = f"hf:{base_path(config)}" if model == EMBEDDED else model
    return spec, {"dtype": config.dtype, "limits": Limits(max_rows=config.max_rows, max_kept_tokens=kept_tokens)}
