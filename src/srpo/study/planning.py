"""What is finished and what is left of a study, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from srpo.study.choice import chosen_rates
from srpo.study.schedule import Job, Study
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, all_tasks
from srpo.study.wanted import EVERYTHING, Wanted, part_of, parts_of


def plan_lines(study: Study, wanted: Wanted = EVERYTHING) -> Iterator[str]:
    """One line for each part of the study that is asked for, one for the shared work, and the time."""
    chosen = chosen_rates(study.settings, study.results)
    every = {name: chosen.get(name, 1.0) for name in study.settings.methods}  # to count what has no rate yet
    known = {task.id for task in all_tasks(study.settings, chosen)}
    left: list[Task] = []
    for part, tasks in _parts(study.settings, every, wanted).items():
        done = sum(study.results.has(task) for task in tasks)
        waiting = sum(task.id not in known for task in tasks)
        left += [task for task in tasks if not study.results.has(task)]
        note = f", {waiting} wait for the learning rate of their method" if waiting else ""
        yield f"{part}: {done} of {len(tasks)} runs finished{note}"
    kinds = Counter(job.kind for job in study.jobs(wanted))
    if kinds["base"] or kinds["trees"]:
        yield f"before them at least: {kinds['base']} bases to pretrain, {kinds['trees']} times shared branches"
    yield f"about {hours(study, left):.1f} hours of one core for {len(left)} runs, without the shared work"
    for name, rate in chosen.items():
        if study.settings.methods[name].tuned:
            yield f"learning rate of {name}: {rate:g}"


def hours(study: Study, tasks: Sequence[Task]) -> float:
    """Time of runs, as those like them took before."""
    kinds = Counter((task.purpose, task.method, task.updates) for task in tasks)
    one = {(task.purpose, task.method, task.updates): task for task in tasks}
    return sum(count * study.seconds(Job("run", one[kind].id, one[kind])) for kind, count in kinds.items()) / 3600


def _parts(settings: StudySettings, rates: dict[str, float], wanted: Wanted) -> dict[str, list[Task]]:
    """The runs that are asked for, by part; parts without any are left out."""
    found: dict[str, list[Task]] = {part: [] for part in parts_of(settings)}
    for task in all_tasks(settings, rates):
        if wanted.has(settings, task):
            found[part_of(task)].append(task)
    return {part: tasks for part, tasks in found.items() if tasks}
