"""A dataset from a folder of pictures: one stage after the other, each over all that the one before let through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from srpo.building.cleaning import clean
from srpo.building.drawing import Drawer, check_drawing, rendered
from srpo.building.leaks import corpus_of, load_items
from srpo.building.settings import check_models, check_prompts, check_settings, input_files, save_settings
from srpo.building.stage import CHAIN, PASSED, Files, StageCount, run_stage
from srpo.data import chain
from srpo.data.agents import Agents, load_prompts
from srpo.data.chain.cells import Pool
from srpo.data.chain.query import NOTHING
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.meter import Ledger, load_metered
from srpo.data.near import nearest
from srpo.data.render import Renderer
from srpo.data.sources import check_given, take_sources
from srpo.data.taking import check_stored, refusal_id
from srpo.errors import DataError
from srpo.progress import Bars
from srpo.records import iterate_records, read_records
from srpo.runs import RunFolder
from srpo.types import CELLS, DataStage, DraftSet, Rejection, Source, Usage


@dataclass(frozen=True)
class BuildOptions:
    """What one start does; none of it changes what a dataset is."""

    limit: int | None = None
    """Only the first so many pictures; a later start goes on with the others."""
    max_cost: float | None = None
    max_calls: int | None = None
    """Of all calls for this dataset, earlier starts included."""
    cache: bool = True
    """Keep what servers reply, and answer from it."""


@dataclass
class Built:
    """What a start came to."""

    counts: list[StageCount] = field(default_factory=list)
    """Stage by stage, of the pictures of this start."""
    usage: list[Usage] = field(default_factory=list)
    """Calls of this start."""
    samples: int = 0
    waiting: int = 0
    """Pictures and sets with calls that failed."""
    reached: str | None = None
    """The cap that stopped it, in words."""
    notes: tuple[str, ...] = ()
    """What the user should know of the splits."""
    hidden: int = 0
    """Hidden files and folders among the pictures, which were passed over."""
    unread: tuple[str, ...] = ()
    """Pictures of benchmarks that could not be read, so that nothing was compared with them."""


def build_dataset(config: BuildConfig, out: Path, options: BuildOptions, bars: Bars) -> Built:
    """Build as much as servers and caps allow; the same call goes on where an earlier one stopped.

    The settings are those of the folder from then on, so what they name is looked at before.

    Raises ConfigError for settings that cannot be or are not those of the folder, DataError for files that cannot be
    used, ModelError if a server answers nothing.
    """
    check_settings(config, options.max_cost)
    prompts = load_prompts(config)
    items = load_items(config)
    hidden = check_given(config, DatasetFolder(out))
    check_models(config)
    folder = DatasetFolder(RunFolder.create(out).path)
    with folder.lock():
        folder.clear_leftovers()
        check_prompts(folder, config)
        save_settings(folder, config)
        folder.record_files(inputs=input_files(config))
        folder.record_seeds({"dataset": config.seed})
        agents, corpus = Agents(config, prompts, folder.path), corpus_of(items, folder)
        return replace(_Builder(config, folder, agents, options, bars, corpus).build(), hidden=hidden)


class _Builder:
    """One start."""

    def __init__(
        self,
        config: BuildConfig,
        folder: DatasetFolder,
        agents: Agents,
        options: BuildOptions,
        bars: Bars,
        corpus: Corpus,
    ) -> None:
        self._config, self._folder, self._options, self._bars, self._corpus = config, folder, options, bars, corpus
        self._ledger = Ledger(folder.usage, options.max_calls, options.max_cost)
        kept = Path(config.response_cache).expanduser() if config.response_cache else folder.cache
        cache = kept if options.cache else None
        self._crew = chain.Crew(
            agents, self._ledger, lambda name: load_metered(config.models[name], self._ledger, cache)
        )

    def build(self) -> Built:
        built = Built(unread=self._corpus.unread)
        check_drawing(self._config, self._folder, self._ledger)
        built.waiting = take_sources(self._config, self._folder, self._bars, self._corpus, self._ledger)
        sources = read_sources(self._folder)
        check_stored(rendered(self._folder), self._folder)
        chosen = sources[: self._options.limit]
        built.counts.append(self._taken(sources, chosen))
        files = Files(self._folder, order_of(self._config, chosen))
        built.counts.append(self._query(files, chosen))
        built.counts += [self._run(stage, files, sources) for stage in CHAIN[1:]]
        everything = Files(self._folder, order_of(self._config, sources))
        cleaning = clean(self._config, everything, sources, self._corpus)
        built.counts.append(cleaning.total)
        built.samples, built.notes = len(CELLS) * cleaning.total.through, cleaning.notes
        built.waiting += sum(count.waiting for count in built.counts)
        built.usage, built.reached = self._ledger.made, self._ledger.reached
        self._folder.record_files(outputs=[path for path in self._outputs() if path.exists()])
        return built

    def _taken(self, sources: list[Source], chosen: list[Source]) -> StageCount:
        mended = {refusal_id(source.original) for source in sources}
        rows = iterate_records(self._folder.rejections, Rejection) if self._folder.rejections.exists() else ()
        last = {row.id: row.reason for row in rows if row.stage == "sources" and row.id not in mended}
        dropped = Counter(last.values())
        return StageCount("sources", len(chosen) + dropped.total(), len(chosen), dropped)

    def _query(self, files: Files, chosen: list[Source]) -> StageCount:
        reasons, count = files.reasons("query"), StageCount("query", len(chosen), 0)
        units = pending_queries(self._config, reasons, chosen)
        reasons |= run_stage(files, count, units, self._proposals(files), self._ledger, self._bars)
        return _counted(count, reasons, len(pending_queries(self._config, reasons, chosen)))

    def _run(self, stage: DataStage, files: Files, sources: list[Source]) -> StageCount:
        before, reasons = files.through(CHAIN[CHAIN.index(stage) - 1]), files.reasons(stage)
        count = StageCount(stage, len(before), 0)
        units = [one for name, one in before.items() if name not in reasons]
        reasons |= run_stage(files, count, units, self._work(stage, sources), self._ledger, self._bars)
        return _counted(count, reasons, len(before.keys() - reasons.keys()))

    def _proposals(self, files: Files) -> Callable[[list[Source]], list[chain.Outcome]]:
        done: dict[str, DraftSet | str] = {**files.reasons("query"), **files.through("query")}
        return lambda chunk: chain.propose(self._crew, chunk, done)

    def _work(self, stage: DataStage, sources: list[Source]) -> Callable[[list[DraftSet]], list[chain.Outcome]]:
        if stage == "cells":
            pool = self._pool(sources)
            return lambda chunk: chain.complete_sets(self._crew, chunk, pool)
        functions = {
            "reasoning": chain.reason_sets,
            "reflection": chain.reflect_sets,
            "adjudication": chain.adjudicate_sets,
        }
        return partial(functions[stage], self._crew)

    def _pool(self, sources: list[Source]) -> Pool:
        """All pictures, also those that a limit leaves out: a preview is to be a part of the whole."""
        by_id = {source.id: source for source in sources}
        return Pool(lambda name: nearest(by_id[name], sources, self._config.cells.candidates), self._drawer())

    def _drawer(self) -> Drawer | None:
        settings = self._config.renderer
        if settings is None or not self._config.cells.render:
            return None
        return Drawer(Renderer(settings), self._config, self._folder, self._ledger, self._corpus)

    def _outputs(self) -> list[Path]:
        folder = self._folder
        return [folder.sources, *map(folder.stage, CHAIN), folder.rejections, folder.usage, folder.sets, folder.samples]


def _counted(count: StageCount, reasons: Mapping[str, str], waiting: int) -> StageCount:
    """With the numbers of all starts."""
    count.dropped = Counter(reason for reason in reasons.values() if reason != PASSED)
    count.through, count.waiting = len(reasons) - count.dropped.total(), waiting
    return count


def read_sources(folder: DatasetFolder) -> list[Source]:
    """The pictures that were taken over.  Raises DataError if there is none."""
    sources = read_records(folder.sources, Source) if folder.sources.exists() else []
    if not sources:
        raise DataError(f"{folder.sources}: no picture could be taken; {folder.rejections} says why")
    return sources


def order_of(config: BuildConfig, sources: list[Source]) -> dict[str, tuple[int, int]]:
    """Id of a set -> number of its picture and of its query."""
    numbers = range(config.queries_per_image)
    return {chain.set_id(source.id, n): (i, n) for i, source in enumerate(sources) for n in numbers}


def pending_queries(config: BuildConfig, reasons: Mapping[str, str], sources: list[Source]) -> list[Source]:
    """Pictures with a query that is not done and still to be made."""

    def is_pending(source: Source) -> bool:
        for number in range(config.queries_per_image):
            reason = reasons.get(chain.set_id(source.id, number))
            if reason is None or reason == NOTHING:
                return reason is None
        return False

    return [source for source in sources if is_pending(source)]
