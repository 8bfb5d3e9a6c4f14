"""What is finished and what is left of a study, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from srpo.study.choice import chosen_rates
from srpo.study.schedule import Job, Study, check_only
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, ablation_tasks, all_tasks, curve_tasks, main_tasks, sweep_tasks


def plan_lines(study: Study, only: Sequence[str] = ()) -> Iterator[str]:
    """One line for each part of the study, one for the shared work, and the time."""
    check_only(study.settings, only)
    chosen = chosen_rates(study.settings, study.results)
    every = {name: chosen.get(name, 1.0) for name in study.settings.methods}  # to count what has no rate yet
    known = {task.id for task in all_tasks(study.settings, chosen)}
    left: list[Task] = []
    for part, tasks in _parts(study.settings, every).items():
        wanted = [task for task in tasks if not only or task.method in only]
        done = sum(study.results.has(task) for task in wanted)
        waiting = sum(task.id not in known for task in wanted)
        left += [task for task in wanted if not study.results.has(task)]
        note = f", {waiting} wait for the learning rate of their method" if waiting else ""
        yield f"{part}: {done} of {len(wanted)} runs finished{note}"
    rest = {task.id: task for task in left}
    kinds = Counter(job.kind for job in study.jobs(only))
    if kinds["base"] or kinds["trees"]:
        yield f"before them at least: {kinds['base']} bases to pretrain, {kinds['trees']} times shared branches"
    time = f"{hours(study, list(rest.values())):.1f} hours of one core"
    yield f"about {time} for {len(rest)} runs, without the shared work"
    for name, rate in chosen.items():
        if study.settings.methods[name].tuned:
            yield f"learning rate of {name}: {rate:g}"


def hours(study: Study, tasks: Sequence[Task]) -> float:
    """Time of runs, as their methods took before."""
    times = {name: study.seconds(Job("run", name, task)) for name, task in {t.method: t for t in tasks}.items()}
    return sum(times[task.method] for task in tasks) / 3600


def _parts(settings: StudySettings, rates: dict[str, float]) -> dict[str, list[Task]]:
    parts = {
        "learning rates": list(sweep_tasks(settings)),
        "methods": list(main_tasks(settings, rates)),
        "updates": list(curve_tasks(settings, rates)),
    }
    for name in settings.ablations:
        parts[f"ablation {name}"] = [task for task in ablation_tasks(settings, rates) if task.ablation == name]
    return {part: tasks for part, tasks in parts.items() if tasks}
