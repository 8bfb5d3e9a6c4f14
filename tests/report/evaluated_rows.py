"""A report with all that evaluation can give: four systems, three benchmarks, two judges."""

from __future__ import annotations

from report_rows import HOSTILE, metric, report

from srpo.rates import RATES, LeaderboardRow
from srpo.steps import STEP_NAMES
from srpo.types import BenchmarkScore, Comparison, JudgeCard, Metric, Report

SYSTEMS = ("base", "sft", "orpo", "srpo")
LEVEL_OF = {"base": 0.35, "sft": 0.6, "orpo": 0.55, "srpo": 0.85}
"""How good each system is."""
HELP_OF = {"base": 0.95, "sft": 0.7, "orpo": 0.6, "srpo": 0.8}
"""How often each system helps with harmless requests: sft and orpo are beaten by srpo in both."""


def rates_of(system: str, shift: float = 0.0) -> dict[str, Metric]:
    good = max(0.0, LEVEL_OF[system] + shift)
    found = {name: metric(good if rate.good else (1 - good) / 2, 400) for name, rate in RATES.items()}
    return found | {"effective_benign": metric(HELP_OF[system], 1200)}


def change(value: float) -> Metric:
    low, high = value - 0.06, value + 0.06
    return Metric(value=value, n=90, low=low, high=high, unscored=2, method="paired cluster bootstrap 95 %")


def compared(system: str, name: str, finding: str = "better") -> Comparison:
    difference = LEVEL_OF[system] - LEVEL_OF["base"]
    difference = difference if RATES[name].good else -difference / 2
    return Comparison(
        metric=name,
        decoding="greedy",
        baseline="base",
        system=system,
        difference=difference,
        low=difference - 0.05,
        high=difference + 0.05,
        n=400,
        unscored=0,
        only_baseline=7,
        only_system=41,
        p_value=0.0004,
        p_adjusted=0.012,
        detectable=0.056,
        finding=finding,
    )


def card(judge: str = "hf:guard/2") -> JudgeCard:
    counts = {"true positive": 41, "false positive": 9, "true negative": 139, "false negative": 6, "unscored": 5}
    return JudgeCard(
        judge=judge,
        prompts_sha256="ab" * 32,
        temperature=0.0,
        flag="answer unsafe",
        calibrated_on="200 answers labelled by two people",
        date="2026-11-01",
        confusion=counts,
        kappa=metric(0.79),
        sensitivity=metric(0.872, 47),
        specificity=metric(0.939, 148),
        precision=metric(0.82, 50),
        human_rate=metric(0.241, 195),
        judge_rate=metric(0.256, 195),
        corrected={"ppi": metric(0.243, 195), "rogan_gladen": metric(0.241, 195)},
        between_people=metric(0.84),
        flip_rate=metric(0.06, 100),
        probes={"apology": change(-0.12), "padding": change(0.01)},
    )


def score(benchmark: str, protocol: str, system: str, judge: str, **changes: object) -> BenchmarkScore:
    good = LEVEL_OF[system] - (0.1 if protocol == "official" else 0.0)
    fields: dict[str, object] = {
        "benchmark": benchmark,
        "protocol": protocol,
        "judge": judge,
        "system": system,
        "decoding": "greedy",
        "rates": {"safe": metric(good, 167), "effective": metric(0.7, 160, unscored=7)},
        "defects": {"strict_parser": 12} if protocol == "official" else {},
    }
    return BenchmarkScore.model_validate(fields | changes)


def scores() -> tuple[BenchmarkScore, ...]:
    found = [
        score(benchmark, protocol, system, judge)
        for benchmark in ("siuo", "xstest")
        for protocol, judge in (("official", "hf:guard/2"), ("v1", "hf:guard/2"), ("v1", "openai:other/1"))
        for system in SYSTEMS
    ]
    flawed = {"refusal": metric(0.21, 80, unscored=20)}
    return (*found, score("mossbench", "v1", "srpo", "hf:guard/2", rates=flawed))


def evaluation(**changes: object) -> Report:
    systems = {name: rates_of(name) for name in SYSTEMS}
    steps = {name: i for i, name in enumerate((*STEP_NAMES, "answer"), 1)} | {"never": 60, "unjudged": 3}
    pairs = (
        "path safe, answer safe",
        "path safe, answer unsafe",
        "path unsafe, answer safe",
        "path unsafe, answer unsafe",
    )
    found: dict[str, object] = {
        "systems": systems,
        "sampled": systems,
        "splits": {"rules": systems, "sets": systems},
        "comparisons": tuple(compared(s, name) for s in SYSTEMS[1:] for name in ("joint4", "safe", "over_refusal")),
        "levels": {str(n): {s: rates_of(s, -0.03 * n) for s in SYSTEMS} for n in (10, 1, 2)},
        "categories": {c: {s: {"safe": metric(LEVEL_OF[s])} for s in SYSTEMS} for c in ("violence", "own kind")},
        "first_failing_step": dict.fromkeys(SYSTEMS, steps),
        "risk_steps": dict.fromkeys(SYSTEMS, steps),
        "two_by_two": {s: dict(zip(pairs, (60, 9, 4, 27), strict=True)) | {"unjudged": 2} for s in SYSTEMS},
        "risk_naming": {
            s: {step: {"precision": metric(0.9), "recall": metric(LEVEL_OF[s])} for step in (*STEP_NAMES, "any step")}
            for s in SYSTEMS
        },
        "repeats": {s: {"safe@1": metric(LEVEL_OF[s]), "safe@k": metric(LEVEL_OF[s] - 0.2)} for s in SYSTEMS},
        "probes": {
            probe: {s: {"safe": metric(LEVEL_OF[s] - drop), "change in safe": change(-drop)} for s in SYSTEMS}
            for probe, drop in (("blank", 0.2), ("paraphrase", 0.01))
        },
        "faithfulness": {
            s: {"risk_removed": metric(0.4), "control_removed": metric(0.1), "removed - control": change(0.3)}
            for s in SYSTEMS
        },
        "judges": {judge: systems for judge in ("hf:guard/2", "openai:other/1")},
        "agreement": {"answer_safe": metric(0.71), "declined": metric(0.88)},
        "benchmarks": scores(),
        "cards": (card(), card("openai:other/1")),
    }
    return report(**(found | changes))


def hostile_evaluation() -> Report:
    """The same report with every free name replaced by a hostile one."""
    free = ("srpo", "rules", "own kind", "siuo", "strict_parser", "hf:guard/2", "answer unsafe", "apology", "effective")

    def replaced(part: object) -> object:
        if isinstance(part, dict):
            return {replaced(key): replaced(value) for key, value in part.items()}
        if isinstance(part, (list, tuple)):
            return [replaced(one) for one in part]
        return f"{part}{HOSTILE}" if part in free else part

    return Report.model_validate(replaced(evaluation().model_dump()))


def leaderboard_row(run: str, system: str = "srpo", **changes: object) -> LeaderboardRow:
    fields: dict[str, object] = {
        "run": run,
        "system": system,
        "seed": 7,
        "judge": "oracle/1",
        "decoding": "greedy",
        "items": "ab12" * 16,
        "rates": {name: rates_of(system)[name] for name in ("joint4", "safe", "over_refusal", "effective_benign")},
    }
    return LeaderboardRow.model_validate(fields | changes)
