"""References to verdicts: a wrong reference is imitated like a right one, so a judge may look before training does.

Not part of the chain: it reads the samples of a run, and leaves samples to start another run with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from srpo.explore import outcome
from srpo.finished import samples_of, training_samples
from srpo.judge.base import Judge, JudgeItem
from srpo.pictures import any_picture
from srpo.progress import Bars
from srpo.records import append_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.outages import PASSING, check_judge, check_servers
from srpo.stages.rows import CHUNK, chunks, drop_rows, rows_if_there
from srpo.systems import load_judge
from srpo.types import Outcome, Sample, Verdict


class Judged(NamedTuple):
    """What the judge `judge` makes of the references: training sample -> label."""

    judge: str
    outcomes: Mapping[str, Outcome]

    @property
    def rejected(self) -> list[str]:
        """Samples whose reference is unfavourable; one that could not be judged is not among them."""
        return [sample for sample, found in self.outcomes.items() if found == "unfavourable"]


def judge_references(run: RunFolder, config: RunConfig, bars: Bars) -> Judged:
    """Judge the reply of every training sample's reference into `references.jsonl`, and keep the rest of the samples.

    The judge is that of the branches, but is not shown the reference beside the text that it judges.  `kept.jsonl`
    gets all samples of the run but the rejected ones.  What was judged before is not judged again, but for failures
    that may pass.  Raises JudgeError and ModelError as the stage `judge` does.
    """
    samples = list(training_samples(run))
    judge = load_judge(config, config.judge.model_copy(update={"show_reference": False}), config.seed)
    passing = PASSING if config.judge.kind == "model" else ()
    drop_rows(run.references, Verdict, lambda v: v.judge == judge.name and v.failure in passing)
    done = {verdict.subject for verdict in _verdicts(run, judge)}
    left = [sample for sample in samples if sample.id not in done]
    if left:
        check_servers(config.judge.model, judge, "texts", pictures=any_picture(left))
    with bars("judge references", len(samples), len(samples) - len(left)) as advance:
        for chunk in chunks(left, CHUNK):
            verdicts = judge.judge([_item(run.path, sample) for sample in chunk], advance)
            check_judge(judge.name, config.judge, verdicts)
            append_records(run.references, verdicts)
    judged = Judged(judge.name, _outcomes(samples, _verdicts(run, judge), config))
    rejected = set(judged.rejected)
    write_records(run.kept, (sample for sample in samples_of(run) if sample.id not in rejected))
    run.record_files(inputs=[run.samples], outputs=[run.references, run.kept])
    return judged


def describe_references(run: RunFolder, judged: Judged) -> list[str]:
    """Counts by kind of cell, and what to do with the samples that are left."""
    samples = {sample.id: sample for sample in training_samples(run)}
    lines = [f"references of {len(samples)} training samples, by {judged.judge}:"]
    for kind, of_kind in (("hazard", True), ("harmless", False)):
        found = Counter(o for s, o in judged.outcomes.items() if (samples[s].cell == "hazard") == of_kind)
        counts = (f"{found['favourable']} accepted", f"{found['unfavourable']} rejected", f"{found['neutral']} neither")
        lines.append(f"  {kind}: {', '.join(counts)}, {found['missing']} not judged")
    if judged.rejected:
        named = ", ".join(judged.rejected[:10]) + (", ..." if len(judged.rejected) > 10 else "")
        lines.append(f"rejected: {named} (reasons in {run.references})")
        lines.append(f"the others are in {run.kept}; start a run with them: srpo init NEW samples={run.kept}")
    return lines


def _item(folder: Path, sample: Sample) -> JudgeItem:
    return JudgeItem(subject=sample.id, sample=sample, folder=folder, part="answer", text=sample.reference.text)


def _verdicts(run: RunFolder, judge: Judge) -> Iterable[Verdict]:
    return (verdict for verdict in rows_if_there(run.references, Verdict) if verdict.judge == judge.name)


def _outcomes(samples: Sequence[Sample], verdicts: Iterable[Verdict], config: RunConfig) -> dict[str, Outcome]:
    cells = {sample.id: sample.cell for sample in samples}
    rule = config.contrasts.hazard_refusal
    return {v.subject: outcome(v, cells[v.subject], hazard_refusal=rule) for v in verdicts if v.subject in cells}
