"""Public benchmarks whose files the user has: checked before anything is computed from them."""

from __future__ import annotations

import random
from pathlib import Path

from srpo.benchmarks import benchmark_named, check_prompts, needs_judge, read_prompts
from srpo.errors import ConfigError, JudgeError
from srpo.records import seed_of
from srpo.run_config import RunConfig
from srpo.types import Item, Protocol


def read_own_items(name: str, config: RunConfig) -> list[Item]:
    """The items of one benchmark of the run, with absolute paths of their pictures.

    With a limit, so many are drawn by the run's seed, in the order of the file.  Raises ConfigError for a benchmark or
    protocol that is not known, or one that needs a judge the run does not have, DataError for a file or picture that
    cannot be used.
    """
    settings, benchmark = config.benchmarks[name], benchmark_named(name)
    for protocol in settings.protocols:
        if protocol not in benchmark.protocols:
            known = ", ".join(benchmark.protocols)
            raise ConfigError(f"benchmarks.{name}.protocols: {name} has no protocol {protocol}; choose from {known}")
        if needs_judge(benchmark, protocol) and not config.judges_of(name):
            mend = f"set benchmarks.{name}.judge={{kind: model, model: openai:NAME, base_url: URL}}"
            raise ConfigError(f"benchmarks.{name}: its answers are judged by a model, and the run has none; {mend}")
        prompts_of(name, protocol, config)
    images = None if settings.images is None else Path(settings.images).expanduser()
    items = benchmark.load(Path(settings.path).expanduser(), images)
    if settings.limit is None or settings.limit >= len(items):
        return items
    chosen = random.Random(seed_of("items", config.seed, name)).sample(range(len(items)), settings.limit)
    return [items[index] for index in sorted(chosen)]


def prompts_of(name: str, protocol: Protocol, config: RunConfig) -> dict[str, str]:
    """The user's prompts for the questions of a protocol, by question.

    Raises ConfigError for a question that no protocol of the benchmark asks or a template that does not fit it, and
    DataError for a file that cannot be read.
    """
    path, protocols = config.benchmarks[name].prompts, benchmark_named(name).protocols
    found = {} if path is None else read_prompts(Path(path).expanduser())
    known = {question for one in protocols.values() for question in one.prompts}
    for question in found.keys() - known:
        listed = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"benchmarks.{name}.prompts: {path} names {question!r}, known questions are: {listed}")
    chosen = {question: text for question, text in found.items() if question in protocols[protocol].prompts}
    try:
        check_prompts(protocols[protocol], chosen)
    except JudgeError as error:
        raise ConfigError(f"benchmarks.{name}.prompts: {path}: {error}") from None
    return chosen
