"""The learning rate of each method, chosen on splits that no table shows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from srpo.study.outcomes import joint_reply, unpack_sets
from srpo.study.results import Finished, Results
from srpo.study.settings import StudySettings
from srpo.study.tasks import UNTUNED, sweep_tasks
from srpo.types import Record


class Tried(Record):
    """A learning rate of a method, and how well it did."""

    method: str
    rate: float
    greedy: float
    sampled: float
    sets: int

    @property
    def merit(self) -> float:
        """What decides: as much greedy as sampled, by the replies, which every method has."""
        return (self.greedy + self.sampled) / 2


def tried_rates(study: StudySettings, results: Results) -> list[Tried]:
    """All rates of all methods of which every run of the sweep is finished, in the order of the plan."""
    runs: dict[tuple[str, float], list[Finished | None]] = {}
    for task in sweep_tasks(study):
        runs.setdefault((task.method, task.rate), []).append(results.read(task))
    found = []
    for (method, rate), finished in runs.items():
        whole = [run for run in finished if run is not None]
        if len(whole) == len(finished):
            found.append(_tried(method, rate, whole))
    return found


def chosen_rates(study: StudySettings, results: Results) -> dict[str, float]:
    """Method -> rate of most merit (the smaller of equal ones), if all rates were tried; untrained ones need none."""
    tried = tried_rates(study, results)
    chosen: dict[str, float] = {}
    for name, method in study.methods.items():
        own = [one for one in tried if one.method == name]
        if not method.tuned:
            chosen[name] = UNTUNED
        elif len(own) == len(study.sweep.rates):
            chosen[name] = max(own, key=lambda one: (one.merit, -one.rate)).rate
    shared = {name: chosen[m.rate_of] for name, m in study.methods.items() if m.rate_of in chosen}
    return {name: (chosen | shared)[name] for name in study.methods if name in chosen or name in shared}


def _tried(method: str, rate: float, runs: Sequence[Finished]) -> Tried:
    shares = {}
    for decoding in ("greedy", "sampled"):
        values = [joint_reply(s) for run in runs for text in run.sets[decoding].values() for s in unpack_sets(text)]
        shares[decoding] = fmean(values)
    return Tried(method=method, rate=rate, sets=len(values), **shares)
