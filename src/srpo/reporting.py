"""The report stage: finished files to one `Report`, a page and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from srpo.answered import Answered, answered
from srpo.errors import DataError
from srpo.explore import PrefixYield, outcome, sum_yields
from srpo.finished import check_contrasts, check_responses, contrasts_of, training_samples, verdicts_of
from srpo.item_pages import items_page
from srpo.progress import Bars
from srpo.records import iterate_records, read_records, write_text
from srpo.report import Example, TreeView, choose_examples, load_images, png_of_sample, render_page
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder
from srpo.summarize import summarize
from srpo.systems import check_trained, path_formats
from srpo.tables import write_tables
from srpo.types import Completion, Contrast, Report, Sample, Tree

Rounds = Sequence[tuple[Sequence[Contrast], Sequence[Sequence[PrefixYield]]]]
"""Contrasts and yields of every round, in order; nothing if no model was trained."""


def write_report(run: RunFolder, config: RunConfig, bars: Bars) -> Report:
    """Compute all figures and write `report.json`, `tables/`, `items.html` and `report.html`."""
    rounds = _trained_rounds(run, config) if TRAINED in config.evaluate.systems else []
    with bars("compute figures", 4, 0) as advance:
        answers = answered(run, config)
        report = _with_training(run, config, summarize(run, config, answers), rounds)
        advance(1)
        write_text(run.report_json, json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
        write_tables(run.tables, report)
        advance(1)
        write_text(run.items_html, items_page(run, config, answers))
        advance(1)
        write_text(run.report_html, _page(run, config, report, answers, [kept for kept, _ in rounds]))
        advance(1)
    return report


def _trained_rounds(run: RunFolder, config: RunConfig) -> Rounds:
    rounds = []
    for number in range(1, config.rounds + 1):
        rounds.append(contrasts_of(run, config, number))
        check_contrasts(run, rounds[-1][0], number)
        check_trained(run, number)
    check_responses(run, config, read_records(run.responses, Completion))
    return rounds


def _with_training(run: RunFolder, config: RunConfig, report: Report, rounds: Rounds) -> Report:
    """The report with what is known of exploration and training."""
    training = {"log": _training_log(run, len(rounds)), "loss_type": config.train.loss_type} if rounds else {}
    exploration = _exploration([yields for _, yields in rounds])
    return report.model_copy(update={"exploration": exploration, "training": training})


def _exploration(rounds: Sequence[Sequence[Sequence[PrefixYield]]]) -> dict[str, object]:
    """Totals per prefix, under the names that the page reads; of later rounds those over all cells."""
    found: dict[str, Sequence[PrefixYield]] = {}
    for number, totals in enumerate(map(sum_yields, rounds), 1):
        if number == 1:
            found = {"prefixes": totals["all"], "hazard": totals["hazard"], "benign": totals["benign"]}
        else:
            found[f"round_{number}"] = totals["all"]
    return {name: [total.model_dump(mode="json") for total in totals] for name, totals in found.items()}


def _training_log(run: RunFolder, rounds: int) -> list[dict[str, Any]]:
    """Rows of all rounds; updates are counted on."""
    found: list[dict[str, Any]] = []
    for number in range(1, rounds + 1):
        before = found[-1]["step"] if found else 0
        found += [row | {"step": before + row["step"]} for row in _round_log(run, number)]
    return found


def _round_log(run: RunFolder, number: int) -> list[dict[str, Any]]:
    path = run.round(number).trained / "log.json"
    try:
        return [row for row in json.loads(path.read_text(encoding="utf-8")) if "loss" in row]
    except (OSError, ValueError, TypeError) as error:
        mend = f"delete {path.parent} and run `srpo train {run.path}` again"
        raise DataError(f"{path}: not a training curve ({error}); {mend}") from None


def _page(
    run: RunFolder, config: RunConfig, report: Report, answers: Answered, contrasts: Sequence[Sequence[Contrast]]
) -> str:
    limit = 4 * config.report.example_sets
    examples: Sequence[Example] = choose_examples(
        answers.samples, answers.completions, answers.plain, limit, config.seed, path_formats(config)
    )
    trees = _tree_views(run, config, contrasts) if contrasts else []
    chain = TRAINED in config.evaluate.systems
    command = f"srpo demo --config {run.config} --out NEW" if chain else f"srpo evaluate NEW --config {run.config}"
    shown = load_images(examples, run.path)
    return render_page(report, shown, trees, command=command, items=run.items_html.name)


def _tree_views(run: RunFolder, config: RunConfig, contrasts: Sequence[Sequence[Contrast]]) -> list[TreeView]:
    """The first trees that gave contrasts, hazard cells and benign ones in turn, each with that of the last round.

    `contrasts` are those of every round.
    """
    by_id = {sample.id: sample for sample in training_samples(run)}
    kept = {contrast.tree for contrast in contrasts[0]}
    trees = [tree for tree in iterate_records(run.trees, Tree) if tree.id in kept] if kept else []
    hazard = [tree for tree in trees if by_id[tree.sample].cell == "hazard"]
    benign = [tree for tree in trees if by_id[tree.sample].cell != "hazard"]
    half = -(-config.report.trees // 2)
    chosen = [*hazard[:half], *benign[: config.report.trees - half]]
    views = _views_of_round(run, config, by_id, chosen, 1, contrasts[0])
    last = len(contrasts)
    if last == 1 or not views:
        return list(views.values())
    again = [tree for tree in iterate_records(run.round(last).trees, Tree) if tree.sample in views]
    later = _views_of_round(run, config, by_id, again, last, contrasts[-1])
    return [view.model_copy(update={"later": later.get(sample)}) for sample, view in views.items()]


def _views_of_round(
    run: RunFolder,
    config: RunConfig,
    samples: Mapping[str, Sample],
    trees: Sequence[Tree],
    number: int,
    contrasts: Sequence[Contrast],
) -> dict[str, TreeView]:
    """Views of trees of a round, by sample."""
    verdicts = verdicts_of(run, trees, number) if trees else {}
    kept: dict[str, list[Contrast]] = {}
    for contrast in contrasts:
        kept.setdefault(contrast.tree, []).append(contrast)
    found = {}
    for tree in trees:
        sample, rule = samples[tree.sample], config.contrasts.hazard_refusal
        judged = {v.node: v for v in verdicts.get(tree.id, ()) if v.node is not None}
        found[sample.id] = TreeView(
            sample=sample,
            tree=tree,
            outcomes={node: outcome(v, sample.cell, hazard_refusal=rule) for node, v in judged.items()},
            kept=tuple(kept.get(tree.id, ())),
            image_png=png_of_sample(sample, run.path),
            round=number,
        )
    return found
