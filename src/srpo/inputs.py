"""What a run takes from outside: checked before anything is written or deleted for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from srpo.errors import ConfigError, DataError, ModelError
from srpo.models import load_model
from srpo.own_items import read_own_items
from srpo.own_samples import read_own_samples
from srpo.run_config import EMBEDDED, TRAINED, JudgeSettings, RunConfig
from srpo.systems import instruction_of, model_options


def check_inputs(config: RunConfig) -> list[Path]:
    """Local files and folders that the run reads.

    Raises ConfigError, DataError or ModelError if a run with these settings could not even be built.
    """
    paths = check_named(config)
    if not (config.evaluate.splits or config.benchmarks):
        mend = "name splits of the samples, or the files of one: benchmarks.siuo.path=FILE"
        raise ConfigError(f"evaluate.splits: is empty and there is no benchmark, so nothing would be measured; {mend}")
    if config.samples is None:
        _check_context(config)
        check_splits((name for name, size in config.world.sizes().items() if size), config)
        return paths
    samples = read_own_samples(Path(config.samples), config)
    check_splits((sample.split for sample in samples), config)
    return [*paths, Path(config.samples), *(Path(sample.image.path) for sample in samples if sample.image is not None)]


def _check_context(config: RunConfig) -> None:
    models = [config.model, *(system.model for system in config.systems.values())]
    if config.world.context == "words" and EMBEDDED in models:
        make = "give model=hf:DIR, made by `srpo world pretrain DIR context=words`"
        raise ConfigError(f"world.context words: the embedded model has learned pictures alone; {make}")


def check_named(config: RunConfig, known: Collection[str] = ()) -> list[Path]:
    """Local files and folders of models, judges and public benchmarks.

    `known` are benchmarks whose items the run has already.  Raises as `check_inputs`.
    """
    for system in (None, *config.systems):
        instruction_of(config, system)
    for name, settings in config.systems.items():
        if settings.model != EMBEDDED and not settings.model.startswith(("hf:", "openai:")):
            expected = "expected embedded, hf:FOLDER_OR_NAME or openai:NAME"
            raise ConfigError(f"systems.{name}.model {settings.model!r}: {expected}")
    _check_servers(config)
    paths = _model_folders(config)
    for name, benchmark in config.benchmarks.items():
        if name not in known:
            read_own_items(name, config)
        paths += [Path(path).expanduser() for path in (benchmark.path, benchmark.images, benchmark.prompts) if path]
    return paths


def check_splits(names: Iterable[str], config: RunConfig) -> None:
    """Raises ConfigError if there is nothing to train on, or nothing of a split that is measured."""
    known = set(names)
    there = ", ".join(sorted(known)) or "none"
    if "train" not in known and TRAINED in config.evaluate.systems:
        raise ConfigError(f"no sample of split train, there are: {there}; the run needs some to explore and train on")
    for split in config.evaluate.splits:
        if split not in known:
            raise ConfigError(f"evaluate.splits: no sample of split {split}, there are: {there}; name only these")


def check_outside(out: Path, inputs: Iterable[Path]) -> None:
    """Raises DataError if something that the new run reads would be deleted with the old one."""
    for path in inputs:
        if path.expanduser().resolve().is_relative_to(out.resolve()):
            raise DataError(f"{path}: the new run reads it, and --fresh would delete it; move it out of {out}")


def _check_servers(config: RunConfig) -> None:
    """Raises ConfigError if what names a server could not be one; none is asked."""
    judges = [(str(judge.model), judge.base_url) for judge in _judges(config)]
    systems = [(system.model, system.base_url) for system in config.systems.values()]
    named = [(config.model, config.base_url), *systems, *judges]
    for model, base_url in named:
        if model.startswith("openai:"):
            spec, options = model_options(model, base_url, config)
            load_model(spec, **options)


def _judges(config: RunConfig) -> list[JudgeSettings]:
    own = [benchmark.judge for benchmark in config.benchmarks.values() if benchmark.judge]
    return [config.judge, *config.scoring_judges, *own]


def _model_folders(config: RunConfig) -> list[Path]:
    systems = config.systems.values()
    specs = [config.model, *(system.model for system in systems), *(judge.model for judge in _judges(config))]
    names = [spec.removeprefix("hf:") for spec in specs if spec and spec != EMBEDDED and spec.startswith("hf:")]
    folders = [Path(name).expanduser() for name in names if Path(name).expanduser().is_dir() or not _is_hub_name(name)]
    folders += [Path(system.adapter).expanduser() for system in systems if system.adapter]
    for folder in folders:
        if not folder.is_dir():
            raise ModelError(f"{folder}: no such model folder; check the path")
    return folders


def _is_hub_name(name: str) -> bool:
    """Whether a name that is no folder can be `owner/name` on a hub."""
    return name.count("/") == 1 and not name.startswith(("/", "~", ".")) and not Path(name).parent.is_dir()
