"""Models and judges of a run: what its settings name, ready to use."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Final

from srpo.errors import ConfigError, DataError
from srpo.judge.base import Judge
from srpo.models import Model, load_model
from srpo.progress import Bars
from srpo.prompts import load_prompt
from srpo.run_config import EMBEDDED, JudgeSettings, RunConfig
from srpo.runs import RunFolder
from srpo.world import ASSETS, OracleJudge

BASE, TRAINED = "base", "srpo"
SYSTEMS: Final = (BASE, TRAINED)
"""Names of the two systems that a run compares."""


def load_system(run: RunFolder, config: RunConfig, system: str, bars: Bars) -> Model:
    """The model of one of the two systems.  Raises DataError if the trained one is not there yet."""
    spec, options = _model_options(config.model, config.base_url, config)
    if system == TRAINED:
        check_trained(run)
        folder = trained_folder(run)
        if (folder / "adapter_config.json").exists():
            options["adapter"] = str(folder)
        else:
            spec = f"hf:{folder}"
    with bars(f"load {system}", 1, 0) as advance:
        model = load_model(spec, **options)
        advance(1)
    return model


def load_judge(config: RunConfig, settings: JudgeSettings, seed: int) -> Judge:
    """The judge that the settings describe."""
    if settings.kind == "oracle":
        return OracleJudge()
    if settings.kind == "simulated":
        from srpo.judge.simulated import SimulatedJudge

        return SimulatedJudge(OracleJudge(), **settings.rates, seed=seed)
    from srpo.judge.model import ModelJudge

    spec, options = _model_options(str(settings.model), settings.base_url, config)
    return ModelJudge(load_model(spec, **options))


def trained_folder(run: RunFolder) -> Path:
    """Where the finished model lies: a model folder, or an adapter."""
    return run.checkpoint / "final"


def check_trained(run: RunFolder) -> None:
    """Raises DataError if there is no trained model yet, or only a part of one."""
    if not trained_folder(run).exists():
        raise DataError(f"{trained_folder(run)}: no trained model yet; run `srpo train {run.path}` first")
    if not weights_are_whole(trained_folder(run)):
        mend = f"delete this folder and run `srpo train {run.path}` again"
        raise DataError(f"{trained_folder(run)}: the weights are damaged or not there; {mend}")


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


def instruction_of(config: RunConfig) -> str | None:
    """The text after every request, or none."""
    if config.instruction is None:
        return None
    known = sorted(
        file.name.removesuffix(".txt")
        for file in resources.files("srpo.prompts").iterdir()
        if file.name.endswith(".txt")
    )
    if config.instruction not in known:
        raise ConfigError(f"instruction {config.instruction!r}: no such prompt; choose one of {', '.join(known)}")
    return load_prompt(config.instruction)


def _model_options(model: str, base_url: str | None, config: RunConfig) -> tuple[str, dict[str, object]]:
    """What `load_model` takes for a model or a judge of this run."""
    if model.startswith("openai:"):
        return model, {"base_url": base_url}
    from srpo.models.decode import Limits

    spec = f"hf:{base_path(config)}" if model == EMBEDDED else model
    return spec, {"dtype": config.dtype, "limits": Limits(max_rows=config.max_rows)}
