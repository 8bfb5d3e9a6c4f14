"""Results and labels of a run to its `Report`: every figure, none of the words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from srpo.answered import Answered, Scores
from srpo.benchmarks import benchmark_named
from srpo.benchmarks.rates import by_category as benchmark_categories
from srpo.benchmarks.rates import defects, disagreements, rates
from srpo.comparing.public import Answers, compare_answers
from srpo.errors import DataError
from srpo.evaluate import (
    adjust,
    agreement,
    by_category,
    by_level,
    by_split,
    compare,
    faithfulness,
    first_failing_steps,
    metrics,
    plain,
    probe_rates,
    repeats,
    risk_naming,
    risk_steps,
    two_by_two,
)
from srpo.rates import RATES
from srpo.records import file_sha256, read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.systems import path_formats
from srpo.types import BenchmarkScore, Comparison, Completion, Item, JudgeCard, Label, Rates, Report, Result
from srpo.wording import wording_of_items, wording_of_samples

T = TypeVar("T")
_Of = Mapping[str, Sequence[Result]]
"""System -> its results under one decoding."""


def summarize(run: RunFolder, config: RunConfig, answers: Answered) -> Report:
    """All figures that hang on answers; everything but `seconds` depends on files and seed alone."""
    scores, labels = answers.scores, answers.labels
    headline, *others = config.evaluate.decodings()
    manifest, seed, cluster = run.read_manifest(), config.seed, config.evaluate.cluster
    own, drawn = _by_system(scores.headline, headline, config), _by_system(scores.headline, "".join(others), config)

    plain_own = {name: plain(rows) for name, rows in own.items()}
    by_id = {completion.id: completion for completion in answers.completions}

    def rated(rows: Sequence[Result]) -> Rates:
        return metrics(plain(rows), seed=seed, cluster=cluster)

    def each(figure: Callable[..., T], systems: _Of = own) -> dict[str, T]:
        """Of every system; what is empty is left out."""
        found = {name: figure(rows, seed=seed, cluster=cluster) for name, rows in systems.items()}
        return {name: value for name, value in found.items() if value}

    return Report(
        systems={name: rated(rows) for name, rows in own.items()},
        sampled={name: rated(rows) for name, rows in drawn.items()},
        splits=_parts(by_split, own, rated),
        comparisons=tuple(adjust([*_comparisons(scores.headline, config), *_on_benchmarks(answers, config)])),
        first_failing_step={name: first_failing_steps(rows) for name, rows in own.items()},
        cluster=cluster,
        levels=_parts(by_level, own, rated),
        categories=_parts(by_category, own, rated),
        two_by_two={name: two_by_two(rows) for name, rows in own.items()},
        risk_steps={name: risk_steps(rows) for name, rows in own.items()},
        risk_naming=each(risk_naming),
        repeats=each(repeats, drawn),
        probes=_transposed(each(probe_rates)),
        faithfulness=each(faithfulness),
        wording=wording_of_samples(plain_own, by_id, path_formats(config), seed=seed, cluster=cluster),
        judges=_judges(scores, headline, config, rated),
        agreement=_agreement(scores, headline, config),
        benchmarks=tuple(_benchmarks(answers, by_id, config)),
        cards=tuple(read_card(Path(path)) for path in config.report.judge_cards),
        seconds={stage: round(seconds, 1) for stage, seconds in manifest.seconds.items()},
        seed=seed,
        judge=_judge_name(scores, labels),
        config_sha256=file_sha256(run.config),
        versions=manifest.versions,
    )


def read_card(path: Path) -> JudgeCard:
    """A judge card of `srpo judge calibrate`.  Raises DataError if the file is not there or not one card."""
    found = read_records(path.expanduser(), JudgeCard)
    if len(found) != 1:
        raise DataError(f"{path}: holds {len(found)} judge cards, expected one; run `srpo judge calibrate` again")
    return found[0]


def _by_system(results: Sequence[Result], decoding: str, config: RunConfig) -> dict[str, list[Result]]:
    rows = [row for row in results if row.decoding == decoding]
    systems = {name: [row for row in rows if row.system == name] for name in config.evaluate.systems}
    return {name: found for name, found in systems.items() if found}


def _parts(
    divide: Callable[[Sequence[Result]], dict[str, list[Result]]], systems: _Of, rated: Callable[..., Rates]
) -> dict[str, dict[str, Rates]]:
    found: dict[str, dict[str, Rates]] = {}
    for name, rows in systems.items():
        for part, of_part in divide(rows).items():
            found.setdefault(part, {})[name] = rated(of_part)
    return dict(sorted(found.items()))


def _transposed(found: Mapping[str, Mapping[str, Rates]]) -> dict[str, dict[str, Rates]]:
    """System -> probe to probe -> system."""
    probes = dict.fromkeys(probe for of_system in found.values() for probe in of_system)
    return {probe: {name: of[probe] for name, of in found.items() if probe in of} for probe in probes}


def _comparisons(results: Sequence[Result], config: RunConfig) -> list[Comparison]:
    """Every other system against the first, in every rate and decoding."""
    found: list[Comparison] = []
    for decoding in config.evaluate.decodings():
        first, *others = _by_system(results, decoding, config).values() or [[]]
        for rows in others:
            found += [compare(first, rows, rate, config.seed, cluster=config.evaluate.cluster) for rate in RATES]
    return found


def _on_benchmarks(answers: Answered, config: RunConfig) -> Iterator[Comparison]:
    """Every other system against the first on every public benchmark, under the first judge of each protocol."""
    groups: dict[tuple[str, str, str], dict[str, dict[str, list[Label]]]] = {}
    for label in answers.labels:
        systems = groups.setdefault((label.benchmark, label.protocol, label.decoding), {})
        systems.setdefault(label.system, {}).setdefault(label.judge, []).append(label)
    for (benchmark, protocol, _), systems in groups.items():
        items = [item for item in answers.items.values() if item.benchmark == benchmark]
        sides = [Answers(name, next(iter(systems[name].values())), items) for name in config.evaluate.systems]
        rules = benchmark_named(benchmark).protocols[sides[0].labels[0].protocol]
        for other in sides[1:]:
            found = compare_answers(f"{benchmark} {protocol}", sides[0], other, rules, config.seed)
            yield from (one.comparison for one in found)


def _judges(
    scores: Scores, decoding: str, config: RunConfig, rated: Callable[..., Rates]
) -> dict[str, dict[str, Rates]]:
    if len(scores.by_judge) < 2:
        return {}
    systems = {judge: _by_system(rows, decoding, config) for judge, rows in scores.by_judge.items()}
    return {judge: {name: rated(rows) for name, rows in of.items()} for judge, of in systems.items()}


def _agreement(scores: Scores, decoding: str, config: RunConfig) -> Rates:
    """Over the plain answers of all systems."""
    rows = {judge: [r for r in plain(of) if r.decoding == decoding] for judge, of in scores.by_judge.items()}
    return agreement(rows, seed=config.seed, cluster=config.evaluate.cluster)


def _benchmarks(answers: Answered, completions: Mapping[str, Completion], config: RunConfig) -> list[BenchmarkScore]:
    """One score per benchmark, protocol, judge, system and decoding, in the order in which they come."""
    groups: dict[tuple[str, ...], list[Label]] = {}
    for label in answers.labels:
        key = (label.benchmark, label.system, label.decoding, _model_of(label.judge), label.protocol, label.judge)
        groups.setdefault(key, []).append(label)
    other = {key[:5]: rows for key, rows in groups.items()}
    items = {name: [i for i in answers.items.values() if i.benchmark == name] for name in config.benchmarks}
    return [
        _score(rows, other.get((*key[:4], "v1"), []), items[key[0]], config.seed).model_copy(
            update={"declines_by_wording": wording_of_items(rows, completions, config.seed)}
        )
        for key, rows in groups.items()
    ]


def _score(rows: Sequence[Label], v1: Sequence[Label], items: Sequence[Item], seed: int) -> BenchmarkScore:
    first = rows[0]
    benchmark = benchmark_named(first.benchmark)
    protocols, protocol = benchmark.protocols, benchmark.protocols[first.protocol]
    differs = disagreements([*rows, *v1], items, protocols, seed) if v1 and first.protocol == "official" else {}
    categories = benchmark_categories(rows, items, protocol, seed)
    return BenchmarkScore(
        benchmark=first.benchmark,
        protocol=first.protocol,
        judge=first.judge,
        system=first.system,
        decoding=first.decoding,
        rates=_of_draws(rows, rates(rows, items, protocol, seed)),
        categories={name: _of_draws(rows, found) for name, found in categories.items()} if len(categories) > 1 else {},
        measures=benchmark.measures,
        lower_is_better=(
            *(name for name, rate in protocol.rates.items() if not rate.good),
            *(name for name, summary in protocol.summaries.items() if not summary.good),
        ),
        defects=defects(rows),
        differs_from_v1={name: one.share for name, one in differs.items()},
    )


def _of_draws(rows: Sequence[Label], found: Rates) -> Rates:
    """Without rates over k draws where there is one draw only."""
    repeated = any(row.repeat for row in rows)
    return {name: metric for name, metric in found.items() if repeated or "@k" not in name}


def _model_of(judge: str) -> str:
    """The judge without its prompts, which differ between protocols."""
    return judge.rpartition("@")[0] or judge


def _judge_name(scores: Scores, labels: Sequence[Label]) -> str:
    if scores.headline:
        return scores.headline[-1].judge
    return ", ".join(dict.fromkeys(label.judge for label in labels)) or "none"
