"""Branches to verdicts."""

from __future__ import annotations

from srpo.finished import of_splits, trees_of
from srpo.judge.base import JudgeItem
from srpo.progress import Bars
from srpo.records import append_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.outages import PASSING, judged
from srpo.stages.rows import CHUNK, chunks, drop_rows, rows_if_there
from srpo.stages.train import training_begun
from srpo.systems import load_judge
from srpo.types import Verdict


def judge_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Judge the final answer of every branch into `verdicts.jsonl`."""
    samples = {sample.id: sample for sample in of_splits(run, ("train",))}
    trees = trees_of(run, samples.values())
    judge = load_judge(config, config.judge, config.seed)
    # What training has begun with stays as it is.
    again = config.judge.kind == "model" and not training_begun(run)
    drop_rows(run.verdicts, Verdict, lambda v: again and v.judge == judge.name and v.failure in PASSING)
    done = {(v.subject, v.node) for v in rows_if_there(run.verdicts, Verdict) if v.judge == judge.name}
    items = [
        JudgeItem(
            subject=tree.id,
            node=node,
            sample=samples[tree.sample],
            folder=run.path,
            part="answer",
            text=tree.walk(node),
            truncated=tree.nodes[node].finish == "length",
        )
        for tree in trees
        for node in tree.branches
    ]
    todo = [item for item in items if (item.subject, item.node) not in done]
    with bars("judge branches", len(items), len(items) - len(todo)) as advance:
        for chunk in chunks(todo, CHUNK):
            append_records(run.verdicts, judged(judge, config.judge, chunk, advance))
    run.record_files(inputs=[run.trees], outputs=[run.verdicts])
