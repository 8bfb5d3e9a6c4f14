"""The stages of a run, and the only place where the packages meet.

Every stage reads finished files of the run folder and appends its own, item by item, so that it can be killed
at any moment and started again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image as PILImage

from srpo.errors import DataError
from srpo.evaluate import score
from srpo.explore import Exploration, PrefixYield, build_contrasts, explore
from srpo.judge.base import Judge, JudgeItem
from srpo.models import Model, load_model
from srpo.models.base import Request
from srpo.models.chat import render_messages
from srpo.progress import Bars
from srpo.prompts import load_prompt
from srpo.records import append_records, read_records, repair, seed_of, write_records
from srpo.run_config import EMBEDDED, JudgeSettings, RunConfig
from srpo.runs import RunFolder
from srpo.types import CATEGORIES, Completion, Contrast, Record, Report, Result, Sample, Sampling, Tree, Verdict
from srpo.world import ASSETS, OracleJudge, build_samples

R = TypeVar("R", bound=Record)
T = TypeVar("T")

BASE, TRAINED = "base", "srpo"
"""Names of the two systems that a run compares."""

STAGES = ("build", "explore", "judge", "train", "evaluate", "report")

_CHUNK = 256
"""Requests between two appends to a file: what a kill may cost."""


@contextmanager
def timed(run: RunFolder, stage: str) -> Iterator[None]:
    """Add the wall-clock time of a stage to the manifest, also when it is interrupted."""
    start = time.monotonic()
    try:
        yield
    finally:
        run.record_seconds(stage, time.monotonic() - start)


def build(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Draw the embedded world, or take over the user's samples, into `samples.jsonl`."""
    if run.samples.exists():
        return
    if config.samples is not None:
        samples = list(_own_samples(Path(config.samples)))
    else:
        settings = config.world
        total = 4 * sum(settings.sizes().values())
        with bars("draw scenes", total, 0) as advance:
            samples = [_counted(sample, advance) for sample in build_samples(settings, run.path)]
    write_records(run.samples, samples)
    run.record_files(outputs=[run.samples])


def explore_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Sample branches from every prefix of every training sample into `trees.jsonl`."""
    repair(run.trees)
    samples = _split(run, ("train",))
    done = {tree.sample for tree in read_records(run.trees, Tree)} if run.trees.exists() else set()
    todo = [sample for sample in samples if sample.id not in done]
    if not todo:
        return
    model = load_system(run, config, BASE)
    with bars("explore branches", len(samples), len(samples) - len(todo)) as advance:

        def keep(tree: Tree) -> None:
            append_records(run.trees, [tree])
            advance(1)

        plan = Exploration(**dict(config.explore), seed=config.seed, instruction=instruction_of(config))
        failures = explore(todo, model, run.path, plan, keep)
    if failures:
        raise DataError(
            f"{run.trees}: {len(failures)} branches failed, first: {failures[0].error}; "
            "what succeeded is kept, run the stage again for the rest"
        )
    run.record_files(inputs=[run.samples], outputs=[run.trees])


def judge_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Judge the final answer of every branch into `verdicts.jsonl`."""
    repair(run.verdicts)
    samples = {sample.id: sample for sample in _split(run, ("train",))}
    judge = load_judge(config, config.judge, config.seed)
    done = {(v.subject, v.node) for v in _read_if_there(run.verdicts, Verdict) if v.judge == judge.name}
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
        for tree in read_records(run.trees, Tree)
        for node in tree.branches
    ]
    todo = [item for item in items if (item.subject, item.node) not in done]
    with bars("judge branches", len(items), len(items) - len(todo)) as advance:
        for chunk in _chunks(todo, 4 * _CHUNK):
            append_records(run.verdicts, judge.judge(chunk, advance))
    run.record_files(inputs=[run.trees], outputs=[run.verdicts])


def contrasts_of(run: RunFolder, config: RunConfig) -> tuple[list[Contrast], list[list[PrefixYield]]]:
    """Contrasts of all trees under the run's judge, and the yield of each tree."""
    samples = {sample.id: sample for sample in _split(run, ("train",))}
    name = load_judge(config, config.judge, config.seed).name
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in read_records(run.verdicts, Verdict):
        if verdict.judge == name:
            verdicts.setdefault(verdict.subject, []).append(verdict)
    contrasts: list[Contrast] = []
    yields: list[list[PrefixYield]] = []
    for tree in read_records(run.trees, Tree):
        found, counts = build_contrasts(
            tree, verdicts.get(tree.id, []), samples[tree.sample], config.contrasts, seed=config.seed
        )
        contrasts += found
        yields.append(counts)
    return contrasts, yields


def train_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Train from the base model on references and contrasts into `checkpoint/`; resumes from its last step."""
    from srpo.train import TreeDataset  # torch and transformers load only here
    from srpo.training import train

    if trained_folder(run).exists():
        return
    contrasts, _ = contrasts_of(run, config)
    write_records(run.contrasts, contrasts)
    trees, samples = read_records(run.trees, Tree), _split(run, ("train",))
    dataset = TreeDataset(samples, trees, contrasts, run.path, instruction_of(config))
    train(run, config, dataset, bars, base_path(config))
    run.record_files(inputs=[run.samples, run.trees, run.contrasts], outputs=[trained_folder(run)])


def evaluate_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Let base and trained model answer the held-out samples, and score the answers."""
    repair(run.responses)
    samples = _split(run, config.evaluate.splits)
    decodings = config.evaluate.decodings()
    done = {completion.id for completion in _read_if_there(run.responses, Completion)}
    total = len(samples) * len(decodings)
    for system in (BASE, TRAINED):
        todo = {name: [s for s in samples if _response_id(system, name, s) not in done] for name in decodings}
        left = sum(len(found) for found in todo.values())
        if not left:
            continue
        model = load_system(run, config, system)
        with bars(f"answer as {system}", total, total - left) as advance:
            for name, sampling in decodings.items():
                for chunk in _chunks(todo[name], _CHUNK):
                    ids = [_response_id(system, name, sample) for sample in chunk]
                    rows = zip(ids, chunk, strict=True)
                    answers = model.generate([_answer_request(run, config, i, s, sampling) for i, s in rows], advance)
                    labels = [{"sample": sample.id, "system": system, "decoding": name} for sample in chunk]
                    pairs = zip(answers, labels, strict=True)
                    append_records(run.responses, [answer.model_copy(update=label) for answer, label in pairs])
    _score_responses(run, config, {sample.id: sample for sample in samples}, bars)
    run.record_files(inputs=[run.samples], outputs=[run.responses, run.results])


def report_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Write `report.json` and `report.html` from the finished files."""
    from srpo.reporting import write_report

    write_report(run, config)


def read_report(run: RunFolder) -> Report:
    """The finished report.  Raises DataError if it is not there or broken."""
    try:
        return Report.model_validate_json(run.report_json.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{run.report_json}: no report yet; run `srpo report {run.path}`") from None
    except ValueError as error:
        raise DataError(f"{run.report_json}: not a report of this version ({error}); run `srpo report` again") from None


def describe(run: RunFolder, stage: str) -> list[str]:
    """A few lines on what a stage has left in the run folder."""
    if stage == "build":
        return _describe_samples(read_records(run.samples, Sample))
    files = {"explore": run.trees, "judge": run.verdicts, "train": trained_folder(run), "evaluate": run.results}
    if stage not in files:
        return []
    path = files[stage]
    count = "" if path.is_dir() else f", {len(path.read_bytes().splitlines())} rows"
    return [f"{stage}: {path}{count}"]


def _describe_samples(samples: Sequence[Sample]) -> list[str]:
    """How many samples of what kind, and one minimal set in words."""
    sizes = Counter(sample.split for sample in samples)
    categories = Counter(sample.category for sample in samples if sample.category)
    lines = [f"build: {len(samples)} samples, " + ", ".join(f"{name} {size}" for name, size in sizes.items())]
    lines.append("  unsafe together: " + ", ".join(f"{CATEGORIES[c]} {n}" for c, n in categories.most_common()))
    shown = [sample for sample in samples if sample.group == samples[0].group]
    for sample in shown:
        seen = sample.reference.steps[0].text.partition(": ")[2].strip()
        lines.append(f"  {sample.cell:<13}{seen} | {sample.question}")
    return lines


def load_system(run: RunFolder, config: RunConfig, system: str) -> Model:
    """The model of one of the two systems.  Raises DataError if the trained one is not there yet."""
    spec, options = _model_options(config)
    if system == TRAINED:
        folder = trained_folder(run)
        if not folder.exists():
            raise DataError(f"{folder}: no trained model yet; run `srpo train {run.path}` first")
        if (folder / "adapter_config.json").exists():
            options["adapter"] = str(folder)
        else:
            spec = f"hf:{folder}"
    return load_model(spec, **options)


def load_judge(config: RunConfig, settings: JudgeSettings, seed: int) -> Judge:
    """The judge that the settings describe."""
    if settings.kind == "oracle":
        return OracleJudge()
    if settings.kind == "simulated":
        from srpo.judge.simulated import SimulatedJudge

        rates = settings.model_dump(exclude={"kind", "model", "base_url"})
        return SimulatedJudge(OracleJudge(), **rates, seed=seed)
    from srpo.judge.model import ModelJudge

    options = {"base_url": settings.base_url} if settings.base_url else {}
    return ModelJudge(load_model(str(settings.model), **options))


def scoring_judge(config: RunConfig) -> Judge:
    """The judge of the evaluation."""
    return load_judge(config, config.evaluate.judge or config.judge, config.seed)


def trained_folder(run: RunFolder) -> Path:
    """Where the finished model lies: a model folder, or an adapter."""
    return run.checkpoint / "final"


def base_path(config: RunConfig) -> str:
    """What `from_pretrained` takes for the base model."""
    return str(ASSETS / "tiny-vlm") if config.model == EMBEDDED else config.model.removeprefix("hf:")


def instruction_of(config: RunConfig) -> str | None:
    """The text after every request, or none."""
    return None if config.instruction is None else load_prompt(config.instruction)


def _model_options(config: RunConfig) -> tuple[str, dict[str, object]]:
    if config.model.startswith("openai:"):
        return config.model, {"base_url": config.base_url}
    from srpo.models.decode import Limits

    spec = f"hf:{base_path(config)}" if config.model == EMBEDDED else config.model
    return spec, {"dtype": config.dtype, "limits": Limits(max_rows=config.max_rows)}


def _answer_request(run: RunFolder, config: RunConfig, identity: str, sample: Sample, sampling: Sampling) -> Request:
    """The request of one answer; both systems draw with the same seed."""
    return Request(
        id=identity,
        messages=render_messages(sample, run.path, instruction_of(config)),
        sampling=sampling,
        seed=seed_of("evaluate", config.seed, sample.id),
    )


def _score_responses(run: RunFolder, config: RunConfig, samples: dict[str, Sample], bars: Bars) -> None:
    judge = scoring_judge(config)
    repair(run.results)
    done = {(r.completion, r.judge) for r in _read_if_there(run.results, Result)}
    responses = [r for r in read_records(run.responses, Completion) if r.sample in samples]
    todo = [r for r in responses if (r.id, judge.name) not in done]
    with bars("judge answers", 2 * len(responses), 2 * (len(responses) - len(todo))) as advance:
        for chunk in _chunks(todo, _CHUNK):
            items = [_judge_item(run, samples[r.sample], r) for r in chunk]
            paths = judge.judge([item.model_copy(update={"part": "path"}) for item in items], advance)
            answers = judge.judge(items, advance)
            rows = zip(chunk, paths, answers, strict=True)
            append_records(run.results, [score(r, samples[r.sample], path, answer) for r, path, answer in rows])


def _judge_item(run: RunFolder, sample: Sample, completion: Completion) -> JudgeItem:
    return JudgeItem(
        subject=completion.id,
        sample=sample,
        folder=run.path,
        part="answer",
        text=completion.text,
        truncated=completion.finish == "length",
    )


def _response_id(system: str, decoding: str, sample: Sample) -> str:
    return f"{system}:{decoding}:{sample.id}"


def _split(run: RunFolder, splits: Sequence[str]) -> list[Sample]:
    """The run's samples of some splits.  Raises DataError if there are none."""
    samples = read_records(run.samples, Sample)
    found = [sample for sample in samples if sample.split in splits]
    if not found:
        known = ", ".join(sorted({sample.split for sample in samples})) or "none"
        raise DataError(f"{run.samples}: no sample of split {' or '.join(splits)}; the file has: {known}")
    return found


def _own_samples(path: Path) -> Iterator[Sample]:
    """The user's samples with absolute image paths.  Raises DataError for a picture that cannot be read."""
    for sample in read_records(path, Sample):
        image = (path.parent / sample.image.path).resolve()
        try:
            with PILImage.open(image) as picture:
                picture.verify()
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{image}: not a readable image ({error}), named by sample {sample.id} of {path}") from None
        yield sample.model_copy(update={"image": sample.image.model_copy(update={"path": str(image)})})


def _read_if_there(path: Path, kind: type[R]) -> list[R]:
    return read_records(path, kind) if path.exists() else []


def _counted(sample: Sample, advance: Callable[[int], None]) -> Sample:
    advance(1)
    return sample


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
