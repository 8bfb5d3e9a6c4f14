"""One piece of work of a study: a base, shared branches, or a run from training to its figures."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import Any, Final

from srpo.errors import ConfigError
from srpo.finished import contrasts_of, of_splits, trees_of, verdicts_of
from srpo.progress import silent
from srpo.records import read_records, write_text
from srpo.run_config import BASE, TRAINED, RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.stages import run_stage
from srpo.stages.watch import watched
from srpo.study.branches import branches_of, drawing_of, keep_branches
from srpo.study.labels import relabelled
from srpo.study.outcomes import Sets, pack_edits, pack_sets
from srpo.study.places import Places
from srpo.study.results import Cost, Finished, Items, Results, settings_of
from srpo.study.settings import Method, StudySettings, merge
from srpo.study.tasks import Task
from srpo.study.teaching import Explored, Lesson, lesson_of
from srpo.study.wrong import with_wrong_references
from srpo.systems import Start, base_path
from srpo.types import PATH_PROBES, Completion, Result, Sample, Tree

TRAIN_SEEDS: Final = 1000
"""Training sets are drawn from this number on: the seed of the tests stays below it."""

LOG: Final = "log.json"
"""Log rows beside the finished weights."""

_TRAINING: Final = "method"
"""Name under which a run keeps the time of its training, whatever is part of it."""

_NOTED: Final = ("loss", "reference_loss", "contrast_loss", "accuracy", "margin", "rewards/accuracies", "reward")
"""Figures of the log of which the first and the last are kept."""


def config_of(study: StudySettings, task: Task, places: Places) -> RunConfig:
    """The settings of a run.  Raises ConfigError if the study's settings do not make one."""
    method = study.method(task.method, task.ablation, task.variant)
    model = places.model(task.base)
    systems = (TRAINED,) if method.tuned else (BASE,)
    rounds = int(merge(study.run, method.run).get("rounds", 1))
    own: dict[str, Any] = {
        "seed": task.seed,
        "model": model,
        "judge": {"kind": "oracle"},
        "world": {"train_seed": TRAIN_SEEDS + task.seed},
        "evaluate": {
            "systems": systems,
            "splits": study.splits_of(task.purpose),
            "probes": PATH_PROBES if task.purpose == "test" else (),
            "judge": {"kind": "oracle"},
        },
    }
    if method.tuned:
        own["train"] = {"learning_rate": task.rate, "max_steps": max(1, task.updates // rounds)}
    merged = merge(merge(study.run, own), method.run)
    merged["systems"] = {name: {**system, "model": model} for name, system in merged.get("systems", {}).items()}
    try:
        return RunConfig.model_validate(merged)
    except ValueError as error:
        raise ConfigError(f"{task.id}: {error}; mend the study's file") from None


def make_base(study: StudySettings, name: str, places: Places) -> None:
    """Pretrain a base of the study, and measure it for its card."""
    from srpo.world.card import write_card
    from srpo.world.pretrain import PretrainSettings, pretrain

    settings = PretrainSettings.model_validate(study.bases[name])
    shutil.rmtree(places.base(name), ignore_errors=True)
    pretrain(places.base(name), settings, silent)
    write_card(places.base(name), settings.seed, silent)


def make_trees(study: StudySettings, task: Task, places: Places, results: Results) -> None:
    """Draw samples and branches, judge them and count them; goes on where it was stopped."""
    config = config_of(study, task, places)
    own = {"seed": config.seed, "model": config.model, "world": config.world, "explore": config.explore}
    shared = RunConfig.model_validate({**own, "evaluate": {"splits": ("train",)}})
    run = RunFolder.create(places.trees(config))
    run.save_config(shared)
    with run.lock():
        for stage in ("init", "explore", "judge"):
            run_stage(run, shared, stage, silent)
        seconds = run.read_manifest().seconds
    sampled = sum(_sampled(tree) for tree in read_records(run.trees, Tree))
    spent = {"seconds": seconds["explore"] + seconds["judge"], "tokens": sampled}
    if task.purpose != "sweep":
        count_branches(study, task, places, results)
    write_text(places.mark(run.path), json.dumps(spent) + "\n")


def count_branches(study: StudySettings, task: Task, places: Places, results: Results) -> None:
    """Keep what the branches gave, by the study's own way to make contrasts."""
    contrasts = RunConfig.model_validate(study.run).contrasts
    config = config_of(study, task, places).model_copy(update={"contrasts": contrasts})
    run = RunFolder.open(places.trees(config))
    _, yields = contrasts_of(run, config)
    counts = branches_of(task.base, task.seed, _explored(run, config), yields)
    keep_branches(results, counts.model_copy(update={"drawn": drawing_of(study, task)}))


def do_run(study: StudySettings, task: Task, places: Places, results: Results) -> None:
    """Train and evaluate one method, and keep its figures; its folder is deleted then."""
    method, config = study.method(task.method, task.ablation, task.variant), config_of(study, task, places)
    run = RunFolder.create(places.run(task))
    run.save_config(config)
    with run.lock():
        _share(RunFolder.open(places.trees(config)), run)
        if method.tuned:
            with watched(run, _TRAINING):
                _train(run, config, method)
        run_stage(run, config, "evaluate", silent)
        shared = json.loads(places.mark(places.trees(config)).read_text())
        items, sets, edits = _outcomes(run, config)
        log = [row for n in range(1, config.rounds + 1) for row in _log(run.round(n))] if method.tuned else []
        finished = Finished(
            task=task,
            settings=settings_of(study, task),
            cost=_cost(run, config, method, shared),
            items=items.digest,
            sets=sets,
            edits=edits,
            notes=notes_of(log),
        )
    results.write(finished, items)
    shutil.rmtree(run.path)


def _share(shared: RunFolder, run: RunFolder) -> None:
    """Samples, pictures and trees of the shared folder; files are copied, as stages may append to them."""
    if not run.samples.exists():
        run.images.unlink(missing_ok=True)
        run.images.symlink_to(os.path.relpath(shared.images, run.path))
        for source, target in ((shared.trees, run.trees), (shared.verdicts, run.verdicts)):
            shutil.copy(source, target)
        shutil.copy(shared.samples, run.samples)


def _train(run: RunFolder, config: RunConfig, method: Method) -> None:
    if run.round(config.rounds).trained.exists():
        return
    if method.trainer == "rounds":
        for stage in ("explore", "judge", "train") * config.rounds:
            run_stage(run, config, stage, silent)
        return
    run_stage(run, config, "judge", silent)  # with another judge than the shared one
    explored = _explored(run, config)
    if method.teaching.label != "reply":
        explored = relabelled(explored, method.teaching.label, config.contrasts, config.seed)
    if method.teaching.wrong_references:
        share, drop = method.teaching.wrong_references, method.teaching.drop_wrong
        explored = with_wrong_references(explored, share, config.seed, drop)
    lesson = lesson_of(explored, method.teaching, config.seed)
    if method.trainer == "own":
        _train_own(run, config, lesson)
    else:
        from srpo.study.trl import Course, train_trl

        train_trl(run, Course(config, method, lesson))


def _explored(run: RunFolder, config: RunConfig) -> Explored:
    samples = of_splits(run, ("train",))
    trees = trees_of(run, samples)
    contrasts, _ = contrasts_of(run, config)
    by_id = {sample.id: sample for sample in samples}
    return Explored(by_id, trees, verdicts_of(run, trees), contrasts, run.path)


def _train_own(run: StageFiles, config: RunConfig, lesson: Lesson) -> None:
    from srpo.train import TreeDataset
    from srpo.training import train

    dataset = TreeDataset(tuple(lesson.samples.values()), lesson.trees, lesson.contrasts, lesson.folder)
    train(run, config, dataset, silent, Start(base_path(config), None, config.seed))


def _cost(run: RunFolder, config: RunConfig, method: Method, shared: dict[str, float]) -> Cost:
    seconds = run.read_manifest().seconds
    logs = [_log(run.round(number)) for number in range(1, config.rounds + 1)] if method.tuned else []
    later = [run.round(number).trees for number in range(2, config.rounds + 1)]
    drawn = sum(_sampled(tree) for path in later for tree in read_records(path, Tree))
    used = _used_share(run, method)
    answers = [row.prompt_tokens for row in read_records(run.responses, Completion)]
    return Cost(
        updates=sum(max((int(row["step"]) for row in log), default=0) for log in logs),
        sampled_tokens=round(used * shared["tokens"]) + drawn + sum(generated_tokens(log) for log in logs),
        trained_tokens=sum(trained_tokens(log) for log in logs),
        explore_seconds=used * shared["seconds"],
        train_seconds=seconds.get(_TRAINING, 0.0),
        evaluate_seconds=seconds["evaluate"],
        prompt_tokens=sum(answers) / max(len(answers), 1),
    )


def _used_share(run: RunFolder, method: Method) -> float:
    """Share of the sampled tokens that a method learns from: those at the empty prefix, if it imitates whole paths."""
    if not method.samples or method.teaching.target != "favourable":
        return float(method.samples)
    trees = read_records(run.trees, Tree)
    first = sum(len(t.nodes[n].token_ids or ()) for t in trees for n in t.branches if t.prefix(n) == 0)
    return first / max(sum(map(_sampled, trees)), 1)


def trained_tokens(log: Sequence[dict[str, Any]]) -> int:
    """Tokens with gradients: those of `srpo train`, counted row by row, or TRL's running total."""
    own = sum(int(row.get("tokens", 0) + row.get("recomputed_tokens", 0)) for row in log)
    return own or max((int(row.get("num_tokens", 0)) for row in log), default=0)


def generated_tokens(log: Sequence[dict[str, Any]]) -> int:
    """Tokens that GRPO has sampled, by its log; 0 for the others, whose logs have no lengths of texts."""
    return sum(int(row.get("sampled_tokens", 0)) for row in log)


def _log(files: StageFiles) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((files.trained / LOG).read_bytes())
    return rows


def _sampled(tree: Tree) -> int:
    return sum(len(tree.nodes[index].token_ids or ()) for index in tree.branches)


def _outcomes(run: RunFolder, config: RunConfig) -> tuple[Items, dict[str, Sets], dict[str, Sets]]:
    """What was asked, what was answered by decoding, and what edits of the reasoning changed."""
    samples = [s for s in read_records(run.samples, Sample) if s.split in config.evaluate.splits]
    items = items_of(samples, config.evaluate.splits)
    rows = read_records(run.results, Result)
    decodings = config.evaluate.decodings()
    plain = {d: [row for row in rows if row.decoding == d and row.probe is None] for d in decodings}
    sets = {decoding: pack_sets(own, items.groups) for decoding, own in plain.items()}
    return items, sets, pack_edits([row for row in rows if row.decoding == next(iter(decodings))], items.groups)


def notes_of(log: Sequence[dict[str, Any]]) -> dict[str, float]:
    """First and last value of what the log says about the training."""
    found: dict[str, float] = {}
    for key in _NOTED:
        values = [float(row[key]) for row in log if key in row]
        found |= {f"{key}, first": values[0], f"{key}, last": values[-1]} if values else {}
    return found


def items_of(samples: Sequence[Sample], splits: Sequence[str]) -> Items:
    """The minimal sets of each split with their rules, in the order of the samples."""
    hazards = {split: [s for s in samples if s.split == split and s.cell == "hazard"] for split in splits}
    return Items(
        groups={split: tuple(s.group for s in found) for split, found in hazards.items()},
        rules={split: tuple(s.rule or s.group for s in found) for split, found in hazards.items()},
    )
