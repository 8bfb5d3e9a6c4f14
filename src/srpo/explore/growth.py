"""Samples to trees, in rounds: each round asks for the branches that the budget wants next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from srpo.errors import ConfigError
from srpo.explore.branch import Exploration, branch_requests, build_tree, source_of, tree_id
from srpo.explore.budget import HARMLESS, OPEN, Counts, next_prefixes
from srpo.judge.base import JudgeItem
from srpo.models.base import Model, Progress, Request
from srpo.types import Completion, Outcome, Sample, Tree

Label = Callable[[Sequence[JudgeItem]], Sequence[Outcome]]
"""Outcomes of branches, in their order; the stage that calls keeps the verdicts behind them."""

_DECIDED: tuple[Outcome, ...] = ("favourable", "unfavourable")


def explore(  # noqa: PLR0913 - all of them are what a caller decides
    samples: Iterable[Sample],
    model: Model,
    folder: Path,
    settings: Exploration,
    on_tree: Callable[[Tree], None],
    progress: Progress | None = None,
    label: Label | None = None,
) -> list[Completion]:
    """Grow one tree per sample and hand it over as soon as its batch is done; returns the failures that cost a tree.

    To resume, leave out the samples whose trees are there already: a sample's branches do not depend on the
    others.  A sample of which more than `settings.max_failed_branches` failed gives no tree, so that a resumed run
    tries it again.  `progress` counts branches, those that a budget has spared included.

    Raises ConfigError if the budget goes by outcomes and there is no `label`.
    """
    if settings.budget != "fixed" and label is None:
        raise ConfigError(f"explore.budget {settings.budget}: goes by the outcomes of branches, which needs a judge")
    failures: list[Completion] = []
    remaining = iter(samples)
    while batch := list(islice(remaining, settings.samples_per_batch)):
        growths = [Growth(sample, folder, settings) for sample in batch]
        _grow(growths, model, label, progress)
        for growth in growths:
            tree, failed = growth.tree(model)
            if tree is None:
                failures += failed
                continue
            on_tree(tree)
            if progress is not None and growth.spared:
                progress(growth.spared)
    return failures


class Growth:
    """The branches of one sample so far."""

    def __init__(self, sample: Sample, folder: Path, settings: Exploration) -> None:
        self.sample, self.folder, self.settings = sample, folder, settings
        self.open: defaultdict[int, list[Request]] = defaultdict(list)
        for request in branch_requests(sample, folder, settings):
            self.open[len(request.prefix)].append(request)
        self.sizes = {prefix: len(requests) for prefix, requests in self.open.items()}
        self.asked: list[Request] = []
        self.answers: list[Completion] = []
        self.outcomes: list[Outcome] = []

    def wanted(self) -> list[Request]:
        """The requests of the next round; none when the sample is done or has failed."""
        if self._failed() > self.settings.max_failed_branches:
            return []
        counts = {prefix: self._counts(prefix) for prefix in self.sizes}
        most = self.settings.branches_per_prefix
        prior = OPEN if self.sample.cell == "hazard" else HARMLESS
        chosen = next_prefixes(self.settings.budget, counts, self._costs(), most, prior)
        return [self.open[prefix].pop(0) for prefix in chosen]

    def take(self, requests: Sequence[Request], answers: Sequence[Completion]) -> list[JudgeItem]:
        """Add the answers of a round; returns what a judge sees of those that did not fail."""
        items: list[JudgeItem] = []
        for request, answer in zip(requests, answers, strict=True):
            self.asked.append(request)
            self.answers.append(answer)
            if answer.finish != "error":
                items.append(self._item(request, answer))
        return items

    def learn(self, outcomes: Iterator[Outcome]) -> None:
        """Take the outcomes of the answers that have none yet; those that failed or were cut off are missing."""
        for answer in self.answers[len(self.outcomes) :]:
            found = "missing" if answer.finish == "error" else next(outcomes)
            self.outcomes.append("missing" if answer.finish == "length" else found)

    def tree(self, model: Model) -> tuple[Tree | None, list[Completion]]:
        """The finished tree, none if too many branches failed; and the failures."""
        source = source_of(model, self.sample)
        tree, failures = build_tree(self.sample, self.asked, self.answers, self.settings, source)
        return (tree if len(failures) <= self.settings.max_failed_branches else None), failures

    @property
    def spared(self) -> int:
        """Branches that the budget did not ask for."""
        return sum(len(requests) for requests in self.open.values())

    def _failed(self) -> int:
        return sum(answer.finish == "error" for answer in self.answers)

    def _costs(self) -> dict[int, float]:
        """Characters of the reference path after each prefix: what a branch is likely to cost."""
        lengths = [len(step.text) for step in self.sample.reference.steps]
        return {prefix: float(sum(lengths[prefix:])) for prefix in self.sizes}

    def _counts(self, prefix: int) -> Counts:
        own = [i for i, request in enumerate(self.asked) if len(request.prefix) == prefix]
        if not self.outcomes:
            return Counts(branches=len(own))
        # Alike as contrasts see it: by ids, where there are ids.
        alike = {i: self.answers[i].token_ids or self.answers[i].text for i in own}
        texts = {kind: [alike[i] for i in own if self.outcomes[i] == kind] for kind in _DECIDED}
        return Counts(
            branches=len(own),
            favourable=len(texts["favourable"]),
            unfavourable=len(texts["unfavourable"]),
            unique_favourable=len(set(texts["favourable"])),
            unique_unfavourable=len(set(texts["unfavourable"])),
        )

    def _item(self, request: Request, answer: Completion) -> JudgeItem:
        """What a judge sees of the last branch, under the number of its node in the tree."""
        return JudgeItem(
            subject=tree_id(self.sample, self.settings),
            node=len(self.sample.reference.steps) + len(self.answers) - self._failed() - 1,
            sample=self.sample,
            folder=self.folder,
            part="answer",
            text="".join(request.prefix) + answer.text,
            truncated=answer.finish == "length",
        )


def _grow(growths: Sequence[Growth], model: Model, label: Label | None, progress: Progress | None) -> None:
    """Rounds of all samples together, until none wants a branch."""
    while rounds := [(growth, wanted) for growth in growths if (wanted := growth.wanted())]:
        answers = iter(model.generate([request for _, wanted in rounds for request in wanted], progress))
        items = [item for growth, wanted in rounds for item in growth.take(wanted, list(islice(answers, len(wanted))))]
        if label is not None:
            outcomes = iter(label(items))
            for growth, _ in rounds:
                growth.learn(outcomes)
