"""Samples to trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from srpo.errors import ModelError
from srpo.explore import Exploration, explore, outcome
from srpo.finished import training_samples
from srpo.judge.base import JudgeItem
from srpo.models.base import Model
from srpo.pictures import any_picture
from srpo.progress import Advance, Bars
from srpo.records import append_records, repair
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.stages.outages import check_judge, check_outage, check_servers
from srpo.stages.rows import chunks, rows_if_there
from srpo.stages.shard import Shard, files_of, is_held
from srpo.systems import instruction_of, load_judge, load_trained, open_rounds, round_seed
from srpo.types import Completion, Outcome, Sample, Tree, Verdict

_KEPT_TOKENS: Final = 65_536
"""Tokens of prompts whose keys and values stay between the rounds of a budget; some gigabytes for a 3B model."""


def explore_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Sample branches from every prefix of every training sample into `trees.jsonl`."""
    for number in open_rounds(run, config):
        files = run.round(number)
        explore_round(run, config, number, None, bars)
        run.record_files(inputs=[run.samples], outputs=[files.trees])


def explore_round(
    run: RunFolder, config: RunConfig, number: int, shard: Shard | None, bars: Bars, model: Model | None = None
) -> None:
    """Grow the trees of a round that are not there yet.

    `model` is by default the one that the round before has trained.
    """
    out = files_of(run.round(number), "explore", shard)
    out.path.mkdir(parents=True, exist_ok=True)
    repair(out.trees)
    done = {tree.sample for path in (out.trees, run.round(number).trees) for tree in rows_if_there(path, Tree)}
    plan = Exploration(**dict(config.explore), seed=round_seed(config, number), instruction=instruction_of(config))

    def own() -> Iterator[Sample]:
        return (sample for sample in training_samples(run) if is_held(shard, sample.id))

    total, left = _branches(own(), plan), _branches((s for s in own() if s.id not in done), plan)
    if left:
        # Budgets that go by outcomes come back to the same prompts.
        kept = 0 if plan.budget == "fixed" else _KEPT_TOKENS
        model = model or load_trained(run, config, number - 1, bars, kept_tokens=kept)
        pictures = any_picture(own())
        check_servers(config.model, model, "prefixes", pictures=pictures)
        with bars("explore branches", total, total - left) as advance:
            todo = (sample for sample in own() if sample.id not in done)
            verdicts = None if shard else out.verdicts
            labels = None if plan.budget == "fixed" else Labels(config, verdicts, pictures=pictures)
            explore_samples(todo, model, run.path, plan, out, advance, labels)


class Labels:
    """Labels branches while they are sampled, and keeps the verdicts, so that nothing is judged twice.

    `path` is where verdicts go; none = they are not kept, as a shard's are merged by another stage.
    """

    def __init__(self, config: RunConfig, path: Path | None, *, pictures: bool = True) -> None:
        self.judge = load_judge(config, config.judge, config.seed)
        check_servers(config.judge.model, self.judge, "texts", pictures=pictures)
        self.config, self.path = config, path
        self.verdicts: list[Verdict] = []

    def __call__(self, items: Sequence[JudgeItem]) -> list[Outcome]:
        """Outcomes of branches."""
        verdicts = self.judge.judge(items)
        self.verdicts += verdicts
        refusal = self.config.contrasts.hazard_refusal
        pairs = zip(items, verdicts, strict=True)
        return [outcome(verdict, item.sample.cell, hazard_refusal=refusal) for item, verdict in pairs]

    def check(self) -> None:
        """Raises JudgeError if the judge was down for all that is not saved: the budget would have gone by nothing."""
        check_judge(self.judge.name, self.config.judge, self.verdicts)

    def save(self, trees: Sequence[Tree]) -> None:
        """Append the verdicts on trees that are saved; the judge stage makes those that a kill loses here."""
        whole = {tree.id for tree in trees}
        kept, self.verdicts = [v for v in self.verdicts if v.subject in whole], []
        if self.path is not None:
            repair(self.path)
            append_records(self.path, kept)


def explore_samples(  # noqa: PLR0913 - what a stage has put together
    samples: Iterable[Sample],
    model: Model,
    folder: Path,
    plan: Exploration,
    out: StageFiles,
    advance: Advance,
    labels: Labels | None = None,
) -> None:
    """Append the trees of samples batch by batch, synced once per batch.

    Raises ModelError if all branches of a batch fail, and after the last sample if any failed.
    """
    failed, first = 0, ""
    for batch in chunks(samples, plan.samples_per_batch):
        failures = _explore_batch(batch, model, folder, plan, out, advance, labels)
        first = first or next((str(failure.error) for failure in failures), "")
        failed += len(failures)
    if failed:
        raise ModelError(
            f"{out.trees}: {failed} branches failed, first: {first}; whole trees are kept, resume for the rest"
        )


def _explore_batch(  # noqa: PLR0913 - as above
    batch: list[Sample],
    model: Model,
    folder: Path,
    plan: Exploration,
    out: StageFiles,
    advance: Advance,
    labels: Labels | None,
) -> list[Completion]:
    asked = 0
    trees: list[Tree] = []

    def count(branches: int) -> None:
        nonlocal asked
        asked += branches
        advance(branches)

    failures = explore(batch, model, folder, plan, trees.append, count, labels)
    if labels is not None:
        labels.check()
    append_records(out.trees, trees)
    if labels is not None:
        labels.save(trees)
    check_outage(model.name, [failure.error for failure in failures], asked)
    return failures


def _branches(samples: Iterable[Sample], plan: Exploration) -> int:
    """Branches of samples, without making their requests."""
    numbers = (len(s.reference.steps) if plan.prefixes == "all" else len(plan.prefixes) for s in samples)
    return plan.branches_per_prefix * sum(numbers)
