"""Records of evaluation: from completions to results, from results to numbers that can be trusted.

RSBench scores a *completion* of a *sample* as a *result*.  A public benchmark scores a completion of an *item* as a
*label*, under one protocol.  Both become *metrics*, and two systems on the same items a *comparison*.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srpo.types.method import Cell, Failure, Probe, Record, StepVerdict


class Result(Record):
    """RSBench scores of one completion; every flag has the third state `None`."""

    record: Literal["result"] = "result"
    completion: str
    sample: str
    group: str
    cell: Cell
    split: str
    category: str | None
    rule: str | None
    system: str
    decoding: str
    judge: str
    path_safe: bool | None
    path_effective: bool | None
    answer_safe: bool | None
    answer_effective: bool | None
    declined: bool | None = None
    steps: tuple[StepVerdict, ...] = ()
    first_failing_step: str | None = Field(
        default=None, description="first unsafe step, `answer`, `never`, or none when an earlier step is unjudged"
    )
    failure: Failure | None = None
    repeat: int = Field(default=0, ge=0, description="as in the completion")
    probe: Probe | None = Field(default=None, description="as in the completion")
    level: int | None = Field(default=None, description="difficulty of the sample")
    path_reason: str = Field(default="", description="the judge's words on the path")
    answer_reason: str = Field(default="", description="the judge's words on the reply")
    path_complete: bool | None = Field(default=None, description="the judge's word on the path; none = not asked")
    risk_step: str | None = Field(
        default=None,
        description="first step that names a risk, `answer`, `never`, or none if an earlier one is unjudged",
    )


Protocol = Literal["official", "v1"]
"""`official`: the authors' labels and aggregation, known defects included; `v1`: structured reply and a third state."""


class Item(Record):
    """One question of a public benchmark, as its file has it.  Never to be trained on."""

    record: Literal["item"] = "item"
    id: str = Field(description="`benchmark:row`, stable over releases of the file where the authors give ids")
    benchmark: str
    subset: str = Field(default="", description="part with rates of its own, such as the safe half")
    cluster: str = Field(description="items that share a picture or a scene are drawn together")
    category: str | None = None
    question: str
    images: tuple[str, ...] = Field(default=(), description="paths of picture files; empty for text alone")
    risk: str | None = Field(
        default=None, description="why it is unsafe, in the authors' words; never shown to a model under test"
    )
    reference: str | None = Field(default=None, description="the authors' good answer")
    options: dict[str, str] = Field(default_factory=dict, description="letter -> choice, of multiple-choice items")
    correct: str | None = Field(default=None, description="letter of the right choice, or the expected short answer")
    licence: str
    source: str = Field(description="file and row it was read from")


class Label(Record):
    """What one judge says of one answer to an item, under one protocol."""

    record: Literal["label"] = "label"
    completion: str
    item: str
    benchmark: str
    subset: str = ""
    cluster: str
    category: str | None = None
    system: str
    decoding: str
    repeat: int = 0
    protocol: Protocol
    judge: str = Field(description="name and version; `rule` where no judge is asked")
    labels: dict[str, bool | int | str | None] = Field(
        description="the protocol's own labels; a value that is none could not be judged"
    )
    failure: Failure | None = None
    notes: tuple[str, ...] = Field(default=(), description="defects of the official code that decided here, by name")
    raw: tuple[str, ...] = Field(default=(), description="the judge's replies, verbatim")


class Metric(Record):
    """A number with what is needed to trust it."""

    value: float | None = Field(description="none when nothing could be scored")
    n: int = Field(ge=0, description="scored items")
    low: float | None
    high: float | None
    unscored: int = Field(ge=0, description="items that could not be judged")
    method: str = Field(description="how the interval was computed")


Finding = Literal["better", "worse", "no evidence of a difference", "not compared"]
"""What a comparison says of the system; *no evidence* is not *equal*: see the detectable difference."""


class Comparison(Record):
    """Two systems on the same items."""

    metric: str
    decoding: str
    baseline: str
    system: str
    difference: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    only_baseline: int = Field(description="items right with the baseline alone")
    only_system: int = Field(description="items right with the system alone")
    p_value: float | None = Field(description="exact sign test over clusters, two-sided")
    p_adjusted: float | None = Field(default=None, description="after Holm, over all comparisons made together")
    detectable: float | None = Field(
        default=None, description="smallest difference that this number of clusters shows with 80 % power"
    )
    finding: Finding | None = Field(default=None, description="in words, after adjustment")
    benchmark: str = Field(default="rsbench", description="which benchmark the metric is of")


class JudgeCard(Record):
    """What is known of a judge: how it was asked, and how far it agrees with people."""

    record: Literal["judge_card"] = "judge_card"
    judge: str = Field(description="name and version")
    prompts_sha256: str | None = Field(default=None, description="of the prompts and of what is shown")
    temperature: float | None = None
    flag: str = Field(description="what is judged; the positive class of sensitivity")
    calibrated_on: str = Field(description="data set and its SHA-256")
    date: str | None = Field(default=None, description="ISO 8601 day")
    confusion: dict[str, int] = Field(
        description="`true positive`, `false positive`, `true negative`, `false negative`, `unscored`"
    )
    kappa: Metric
    sensitivity: Metric
    specificity: Metric
    precision: Metric
    human_rate: Metric = Field(description="positives by the people, over all labelled items")
    judge_rate: Metric = Field(description="positives by the judge, raw")
    corrected: dict[str, Metric] = Field(
        default_factory=dict, description="`ppi`, `rogan_gladen`: the rate corrected by a labelled subset"
    )
    between_people: Metric | None = Field(default=None, description="kappa of two annotators, if both are in the file")
    flip_rate: Metric | None = Field(default=None, description="items whose label changes over equal repeats")
    probes: dict[str, Metric] = Field(
        default_factory=dict, description="bias probe -> change of the rate of positives, paired"
    )


Measures = Literal["safety", "over_refusal", "ability"]
"""What a benchmark can see: `safety` alone, which refusing everything betters; also `over_refusal`, by requests that
are harmless; or `ability`, which refusing cannot better."""


class BenchmarkScore(Record):
    """One system on one public benchmark, under one protocol and judge."""

    benchmark: str
    protocol: Protocol
    judge: str
    system: str
    decoding: str
    rates: dict[str, Metric]
    categories: dict[str, dict[str, Metric]] = Field(default_factory=dict, description="category -> the same rates")
    measures: Measures = Field(default="safety", description="what its rates hold against a system")
    lower_is_better: tuple[str, ...] = Field(default=(), description="rates that should be low; the others high")
    declines_by_wording: Metric | None = Field(
        default=None, description="replies that refuse by their wording; a baseline, never a label of safety"
    )
    defects: dict[str, int] = Field(default_factory=dict, description="how often a known defect decided a label")
    differs_from_v1: dict[str, Metric] = Field(
        default_factory=dict,
        description="under `official`: rate -> share of the answers that `v1` counts otherwise",
    )


Rates = dict[str, Metric]
"""Name of the rate -> its value."""


class Report(Record):
    """All figures of a run."""

    record: Literal["report"] = "report"
    systems: dict[str, dict[str, Metric]] = Field(description="system -> metric, under the headline decoding")
    sampled: dict[str, dict[str, Metric]] = Field(default_factory=dict, description="the same at temperature 1")
    splits: dict[str, dict[str, dict[str, Metric]]] = Field(
        default_factory=dict, description="split -> system -> metric, headline decoding"
    )
    comparisons: tuple[Comparison, ...] = ()
    first_failing_step: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="system -> step -> count, hazard cells"
    )
    cluster: Literal["group", "rule"] = Field(default="group", description="what intervals draw as one unit")
    levels: dict[str, dict[str, Rates]] = Field(default_factory=dict, description="difficulty -> system -> rates")
    categories: dict[str, dict[str, Rates]] = Field(default_factory=dict, description="category -> system -> rates")
    two_by_two: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="system -> `path safe, answer unsafe` and so on -> hazard cells"
    )
    risk_steps: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="system -> step that first names a risk -> hazard cells"
    )
    risk_naming: dict[str, dict[str, Rates]] = Field(
        default_factory=dict, description="system -> step -> `precision` and `recall` of naming a risk"
    )
    repeats: dict[str, Rates] = Field(default_factory=dict, description="system -> `safe@1`, `safe@k`, `think@k`...")
    probes: dict[str, dict[str, Rates]] = Field(default_factory=dict, description="probe -> system -> rates")
    faithfulness: dict[str, Rates] = Field(
        default_factory=dict,
        description="system -> share of answers that flip after an edit of the path",
    )
    judges: dict[str, dict[str, Rates]] = Field(
        default_factory=dict, description="judge -> system -> rates, where several judge"
    )
    wording: dict[str, Rates] = Field(
        default_factory=dict,
        description="system -> replies that decline by their wording, over `hazard` and `benign` cells; a baseline",
    )
    agreement: Rates = Field(default_factory=dict, description="flag -> Krippendorff's alpha between the judges")
    benchmarks: tuple[BenchmarkScore, ...] = ()
    cards: tuple[JudgeCard, ...] = ()
    exploration: dict[str, object] = Field(
        default_factory=dict, description="branches, outcomes and contrasts per prefix"
    )
    training: dict[str, object] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict, description="wall-clock per stage; changes between runs")
    seed: int
    judge: str
    config_sha256: str
    versions: dict[str, str] = Field(default_factory=dict)
