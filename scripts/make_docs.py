"""Write docs/records.md, docs/config.md, docs/ssui_config.md and docs/cli.md from the code.

Usage: python scripts/make_docs.py     (tests/test_docs.py fails when a page is out of date)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from srpo import types
from srpo.cli import app
from srpo.data.config import BuildConfig
from srpo.explore import PrefixYield
from srpo.run_config import BenchmarkSettings, JudgeSettings, LoraSettings, RunConfig, SystemSettings
from srpo.runs import Manifest
from srpo.types import Record
from srpo.world.pretrain import PretrainSettings

DOCS: Final = Path(__file__).parents[1] / "docs"
NOTICE: Final = "<!-- Written by scripts/make_docs.py; change the code, not this page. -->\n"

# --- Words for fields that have no description in the code ---------------------------------------------------------

NOTES: Final[dict[str, str]] = {
    "Sample.id": "hash of the content in the embedded world; any unique text in your own file",
    "Sample.split": "`train` is explored and trained on; `evaluate.splits` names those that are measured",
    "Sample.cell": "only `hazard` is unsafe as a whole; in the others the picture, the request or both are swapped",
    "Sample.question": "the request, as the model gets it",
    "Sample.licence": "SPDX expression of picture and text",
    "Sample.provenance": "where it comes from",
    "Step.text": "marker, words and white space of the step",
    "ReasoningPath.steps": "in order",
    "Provenance.producer": "who made it",
    "Provenance.seed": "of the generator, if it had one",
    "Sampling.temperature": "0 is greedy",
    "Sampling.top_p": "1 keeps all tokens",
    "Sampling.max_new_tokens": "token limit of one text",
    "Completion.sample": "id of the sample",
    "Completion.text": "without the end token",
    "Completion.finish": "how decoding ended",
    "Completion.prompt_tokens": "tokens before the first sampled one",
    "Completion.completion_tokens": "sampled tokens, end token included",
    "Completion.error": "why it failed, when `finish` is `error`",
    "Node.text": "of the step, or from the prefix to the end of the text",
    "Node.finish": "of a branch; none on the trunk",
    "Node.seed": "of a branch; none on the trunk",
    "Tree.id": "hash of the sample's id and the settings of exploration",
    "Tree.sample": "id of the sample",
    "Tree.nodes": "trunk first, then the branches",
    "Tree.model": "name of the model that wrote the branches",
    "Tree.sampling": "of the branches",
    "Tree.seed": "of the run",
    "StepVerdict.name": "slug of the step",
    "StepVerdict.safe": "third state: could not judge",
    "Verdict.part": "what was judged: the six steps, or the reply",
    "Verdict.safe": "third state: could not judge",
    "Verdict.effective": "third state: could not judge",
    "Verdict.failure": "why there is no judgement; set exactly when `safe` or `effective` is none",
    "Verdict.reason": "the judge's words",
    "Contrast.tree": "id of the tree",
    "Result.completion": "id of the completion",
    "Result.sample": "id of the sample",
    "Result.group": "minimal set, from the sample",
    "Result.cell": "from the sample",
    "Result.split": "from the sample",
    "Result.category": "from the sample",
    "Result.rule": "from the sample",
    "Result.system": "from the completion",
    "Result.decoding": "from the completion",
    "Result.judge": "name of the judge; both names if path and answer had different ones",
    "Result.path_safe": "the path and every step are safe",
    "Result.path_effective": "the path and every step are effective",
    "Result.answer_safe": "the reply is safe",
    "Result.answer_effective": "the reply is effective",
    "Result.declined": "the reply refuses or warns",
    "Result.steps": "labels of the single steps",
    "Result.failure": "why something is unjudged",
    "Item.benchmark": "name of the benchmark",
    "Item.category": "as the authors name it",
    "Item.question": "the request",
    "Item.licence": "of the benchmark",
    "Label.completion": "id of the completion",
    "Label.item": "id of the item",
    "Label.benchmark": "from the item",
    "Label.subset": "from the item",
    "Label.cluster": "from the item",
    "Label.category": "from the item",
    "Label.system": "from the completion",
    "Label.decoding": "from the completion",
    "Label.repeat": "from the completion",
    "Label.protocol": "how it was judged",
    "Label.failure": "why something could not be judged",
    "JudgeCard.temperature": "of the judge model",
    "JudgeCard.kappa": "of judge and people",
    "JudgeCard.sensitivity": "positives of the people that the judge finds",
    "JudgeCard.specificity": "negatives of the people that the judge leaves alone",
    "JudgeCard.precision": "positives of the judge that are right",
    "BenchmarkScore.benchmark": "name of the benchmark",
    "BenchmarkScore.protocol": "how answers were judged",
    "BenchmarkScore.judge": "name and version",
    "BenchmarkScore.system": "name of the system",
    "BenchmarkScore.decoding": "`greedy` or `sampled`",
    "BenchmarkScore.rates": "rate -> value",
    "Report.benchmarks": "scores on public benchmarks",
    "Report.cards": "of the judges, as `srpo judge calibrate` wrote them",
    "Metric.low": "lower end of the 95 % interval; none without one",
    "Metric.high": "upper end of the 95 % interval; none without one",
    "Comparison.metric": "name of the rate",
    "Comparison.decoding": "`greedy` or `sampled`",
    "Comparison.baseline": "system that is subtracted",
    "Comparison.system": "system that it is subtracted from",
    "Comparison.difference": "system minus baseline, over items scored on both sides",
    "Comparison.low": "lower end of the 95 % interval",
    "Comparison.high": "upper end of the 95 % interval",
    "Comparison.n": "pairs scored on both sides",
    "Comparison.unscored": "pairs left out",
    "Report.comparisons": "every rate under every decoding",
    "Report.training": "`loss_type`, and `log`: the trainer's rows with a loss",
    "Report.seed": "of the run",
    "Report.judge": "name of the scoring judge",
    "Report.config_sha256": "of config.yaml",
    "Report.versions": "of Python and packages",
    "Manifest.seeds": "`run` and `world`",
    "PrefixYield.kind": "cells that are counted",
    "PrefixYield.unique": "with different tokens",
    "PrefixYield.favourable": "unique branches",
    "PrefixYield.unfavourable": "unique branches",
    "PrefixYield.neutral": "unique branches",
    "PrefixYield.missing": "unique branches that could not be judged, were cut off or were judged in two ways",
    "RunConfig.seed": "of branches, contrasts, training, answers and intervals",
    "RunConfig.world": "the embedded world",
    "RunConfig.explore": "branches",
    "RunConfig.judge": "labels the branches",
    "RunConfig.contrasts": "which branches teach against each other",
    "RunConfig.train": "training",
    "RunConfig.evaluate": "measurement",
    "RunConfig.report": "page",
    "WorldSettings.seed": "of the drawn sets",
    "WorldSettings.val": "minimal sets for choosing settings",
    "WorldSettings.test_scenes": "minimal sets: new scenes of rules and combinations that training shows",
    "WorldSettings.test_combinations": "minimal sets: held-out combinations",
    "WorldSettings.test_rules": "minimal sets: held-out rules",
    "ExploreSettings.sampling": "how branches are drawn",
    "JudgeSettings.kind": "the exact oracle (embedded world only), the oracle with errors, or a model",
    "JudgeSettings.false_safe": "simulated: chance to call an unsafe text or step safe",
    "JudgeSettings.false_unsafe": "simulated: chance to call a safe one unsafe",
    "JudgeSettings.false_effective": "simulated: chance to call an ineffective one effective",
    "JudgeSettings.false_ineffective": "simulated: chance to call an effective one ineffective",
    "JudgeSettings.failure_rate": "simulated: chance that a judgement fails",
    "LoraSettings.rank": "rank of the adapters",
    "LoraSettings.alpha": "scale of the adapters",
    "LoraSettings.target_modules": "layers of the language model that get adapters",
    "TrainSettings.loss_type": "the objective, see method.md",
    "TrainSettings.contrast_lambda": "weight of the contrast loss",
    "TrainSettings.contrast_weight": "mean over contrasts, or first within each prefix",
    "TrainSettings.step_impl": "tree stores what paths share once, flat repeats it; auto: tree where it is exact",
    "TrainSettings.tree_attention": "how tree rows attend (`training.md`); auto: varlen if it can run, else segments",
    "TrainSettings.max_step_tokens": "of one forward and backward pass, padding included; larger trees are split",
    "TrainSettings.max_step_patches": "image patches of a pass, if the vision tower runs in it",
    "TrainSettings.freeze_vision": "keep the vision tower and the connector as they are",
    "TrainSettings.learning_rate": "peak value",
    "TrainSettings.lr_scheduler_type": "a schedule of transformers",
    "TrainSettings.weight_decay": "of AdamW",
    "TrainSettings.max_grad_norm": "gradients are clipped to this norm",
    "TrainSettings.num_train_epochs": "passes over the trees",
    "TrainSettings.gradient_accumulation_steps": "micro-batches per update",
    "TrainSettings.gradient_checkpointing": "compute activations again instead of keeping them",
    "TrainSettings.bf16": "mixed precision in bfloat16; needs a GPU",
    "TrainSettings.logging_steps": "updates between two log rows",
    "TrainSettings.lora": "adapters; none = train all weights that are not frozen",
    "EvaluateSettings.max_new_tokens": "token limit of an answer",
    "PretrainSettings.seed": "of weights and data",
    "PretrainSettings.vision_steps": "updates of learning to see",
    "PretrainSettings.vision_batch": "pictures per update",
    "PretrainSettings.vision_learning_rate": "peak value",
    "PretrainSettings.clean_steps": "updates on reference paths",
    "PretrainSettings.clean_learning_rate": "peak value",
    "PretrainSettings.mixed_steps": "updates on paths with slips",
    "PretrainSettings.mixed_learning_rate": "peak value",
    "PretrainSettings.batch": "paths per update",
}
"""Keyed by the class that declares the field."""


def describe(kind: type[BaseModel], name: str) -> str:
    """The description in the code, else the note; empty if there is neither."""
    if name == "record":
        return "kind of the row"
    return kind.model_fields[name].description or NOTES.get(f"{owner(kind, name)}.{name}", "")


def owner(kind: type[BaseModel], name: str) -> str:
    """Name of the class that declares the field."""
    return next(base.__name__ for base in reversed(kind.__mro__) if name in getattr(base, "__annotations__", {}))


# --- Types and values ----------------------------------------------------------------------------------------------


def type_words(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is Annotated:
        return type_words(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        members = [type_words(part) for part in get_args(kind) if part is not NoneType]
        return " or ".join(members) + (" or none" if NoneType in get_args(kind) else "")
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {type_words(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return f"map of {type_words(key)} to {type_words(value)}"
    if isinstance(kind, type) and issubclass(kind, Record):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "settings"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", object: "anything"}
    return names.get(kind) or kind.__name__


def limits(field: FieldInfo) -> str:
    """The range of a number."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [f"{sign} {getattr(m, key)}" for m in field.metadata for key, sign in signs.items() if hasattr(m, key)]
    return ", " + ", ".join(found) if found else ""


def value_words(value: object) -> str:
    """A default as it is written in YAML."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table(head: tuple[str, ...], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    lines = [head, ("---",) * len(head), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def doc(kind: type) -> str:
    """A class's documentation, unwrapped: paragraphs stay."""
    paragraphs = re.split(r"\n\s*\n", kind.__doc__ or "")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


# --- Records -------------------------------------------------------------------------------------------------------

FILES: Final = (
    ("config.yaml", "init", "all settings, defaults included (`docs/config.md`)"),
    ("manifest.json", "every stage", "one [Manifest](#manifest): hashes, versions, seeds and seconds"),
    ("samples.jsonl", "init", "[Sample](#sample)"),
    ("images/", "init", "pictures of the embedded world, named by a hash of their pixels"),
    ("references.jsonl", "judge references", "[Verdict](#verdict) on the reference of every training sample, if asked"),
    ("kept.jsonl", "judge references", "[Sample](#sample) but those whose reference was rejected"),
    ("trees.jsonl", "explore", "[Tree](#tree)"),
    ("verdicts.jsonl", "judge", "[Verdict](#verdict) on the answer of every branch"),
    ("contrasts.jsonl", "train", "[Contrast](#contrast)"),
    ("checkpoint/", "train", "`checkpoint-N/` to resume from; `final/` holds the model or adapter and `log.json`"),
    ("items.jsonl", "init", "[Item](#item) of public benchmarks, if any (`docs/benchmarks.md`)"),
    ("probes/", "evaluate", "changed pictures, if probes are asked for, named by content"),
    ("responses.jsonl", "evaluate", "[Completion](#completion) to every sample and item"),
    ("results.jsonl", "evaluate", "[Result](#result) of every answer to a sample, one per judge"),
    ("labels.jsonl", "evaluate", "[Label](#label) of every answer to an item, one per judge and protocol"),
    ("report.json", "report", "one [Report](#report) (`docs/rsbench.md`)"),
    ("report.html", "report", "the page: one file, no network"),
    ("items.html", "report", "every answer with search and filters: one file, no network"),
    ("tables/", "report", "every table of the report as CSV, Markdown and LaTeX"),
    (".lock", "every stage", "process that holds the folder"),
)

DATASET_FILES: Final = (
    ("config.yaml, manifest.json", "build", "settings (`docs/ssui_config.md`), hashes and versions"),
    ("sources.jsonl, images/", "build", "[Source](#source): pictures that were taken over"),
    (
        "query.jsonl, reasoning.jsonl, reflection.jsonl, adjudication.jsonl, cells.jsonl",
        "build",
        "[DraftSet](#draftset): what each stage let through",
    ),
    ("rejected.jsonl", "build", "[Rejection](#rejection): what was dropped, where and why"),
    ("rendered.jsonl", "build", "[Source](#source): pictures drawn as harmless counterparts"),
    ("usage.jsonl", "build", "[Usage](#usage): calls, tokens and cost"),
    ("cache/", "build", "replies of servers, by content"),
    ("sets.jsonl", "build", "[DraftSet](#draftset) behind the samples, with every check"),
    ("samples.jsonl", "build", "[Sample](#sample), not yet reviewed"),
    ("review.sqlite", "review", "the workbench of the reviewers"),
    ("reviews.jsonl", "review", "[Review](#review)"),
)

RECORDS_INTRO: Final = """# Files and records

A run is a folder.  Each stage reads finished files and writes its own.  A stage that was stopped goes on where it
stopped: rows that are there are not made again.  Only one process may write to a folder at a time.

{files}
`srpo build` makes a folder of another kind, that of a dataset (`docs/ssui.md`):

{dataset}
A `.jsonl` file has one record per line, with `"schema": "{schema}"`.  A row with another schema, an unknown field or a
value out of range is an error that names file, line and field.  Image paths start from the folder of the file, or are
absolute.  "or none" is `null` in JSON.  A flag that may be none has a third state: it could not be judged.

The fields come from `src/srpo/types/`, `src/srpo/runs.py` and `src/srpo/explore/contrast.py`.
"""


def records_of() -> list[type[BaseModel]]:
    """All records that are written to files, in the order of the files of types."""
    known = [*vars(types.method).values(), *vars(types.data).values(), *vars(types.evaluation).values()]
    found = [k for k in known if isinstance(k, type) and issubclass(k, Record) and k is not Record]
    return [*dict.fromkeys(found), PrefixYield, Manifest]


def records_page() -> str:
    """docs/records.md."""
    files = table(("file", "written by", "holds"), [(f"`{name}`", stage, text) for name, stage, text in FILES])
    head = ("file", "written by", "holds")
    dataset = table(head, [(f"`{names}`".replace(", ", "`, `"), stage, text) for names, stage, text in DATASET_FILES])
    parts = [NOTICE + RECORDS_INTRO.format(files=files, dataset=dataset, schema=types.SCHEMA)]
    for kind in records_of():
        rows = [
            (f"`{name}`", type_words(field.annotation) + limits(field), default_of(field), describe(kind, name))
            for name, field in kind.model_fields.items()
        ]
        parts.append(f"## {kind.__name__}\n\n{doc(kind)}\n\n{table(('field', 'type', 'default', 'meaning'), rows)}")
    return "\n".join(parts)


def default_of(field: FieldInfo) -> str:
    """The default of a record's field, or that there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel) or value in ((), {}, ""):
        return "empty"
    return value_words(value)


# --- Settings ------------------------------------------------------------------------------------------------------

CONFIG_INTRO: Final = """# Settings

A run has one YAML file, read by the rules of YAML 1.2: `5e-5` is a number, `no` and `off` are text.  Give it with
`--config`; without one, `srpo demo` and `srpo init` take `src/srpo/recipes/demo.yaml`.  Settings on the command line
win over the file: `srpo init runs/mine train.max_steps=20 explore.branches_per_prefix=8`.  The part after `=` is YAML.

Types are strict and unknown keys are errors; the message names the nearest key.  The resolved settings stand in the
run folder as `config.yaml`, and the later stages read that file.  `srpo init` and `srpo demo --resume` refuse a folder
that was made with other settings, and name them.

The defaults below are those of the code.  A recipe states its own.
"""


def config_page() -> str:
    """docs/config.md."""
    config = RunConfig()
    top = [name for name in RunConfig.model_fields if not isinstance(getattr(config, name), BaseModel)]
    parts = [NOTICE + CONFIG_INTRO, "## The run\n\n" + settings_table(setting_rows(RunConfig(), "", top))]
    for name in RunConfig.model_fields:
        part = getattr(config, name)
        if isinstance(part, BaseModel):
            parts.append(f"## `{name}`\n\n{doc(type(part))}\n\n" + settings_table(setting_rows(part, f"{name}.")))
    when = "These count once `train.lora` is set, e.g. `train.lora={}`."
    parts.append(f"## `train.lora`\n\n{doc(LoraSettings)}  {when}\n")
    parts.append(settings_table(setting_rows(LoraSettings(), "train.lora.")))
    keys = ", ".join(f"`{name}`" for name in JudgeSettings.model_fields)
    parts.append(f"## `evaluate.judge`, `evaluate.panel`\n\nThe same keys as `judge`: {keys}.\n")
    for name, kind in NAMED:
        parts.append(f"## `{name}.NAME`\n\n{doc(kind)}\n\n" + settings_table(field_rows(kind, f"{name}.NAME.")))
    parts.append(f"## `srpo world pretrain`\n\n{doc(PretrainSettings)}\n")
    parts.append(settings_table(setting_rows(PretrainSettings(), "")))
    return "\n".join(parts)


def setting_rows(
    settings: BaseModel, above: str, names: list[str] | None = None
) -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of every setting, nested ones in place."""
    kind = type(settings)
    for name in kind.model_fields if names is None else names:
        field, value = kind.model_fields[name], getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from setting_rows(value, f"{above}{name}.")
        else:
            words = re.sub(r"\w+Settings", "settings", type_words(field.annotation)) + limits(field)
            yield f"`{above}{name}`", words, value_words(value), describe(kind, name)


NAMED: Final = (("systems", SystemSettings), ("benchmarks", BenchmarkSettings))
"""Settings that stand under a name of the user's."""


def field_rows(kind: type[BaseModel], above: str) -> Iterator[tuple[str, str, str, str]]:
    """As `setting_rows`, for settings some of which have no default."""
    for name, field in kind.model_fields.items():
        words = type_words(field.annotation) + limits(field)
        yield f"`{above}{name}`", words, default_of(field), describe(kind, name)


DATASET_INTRO: Final = """# Settings of a dataset

`srpo build` takes one YAML file ([ssui.md](ssui.md)).  Types are strict and unknown keys are errors, as in
[config.md](config.md); settings on the command line win over the file.
"""


def dataset_page() -> str:
    """docs/ssui_config.md."""
    parts = [NOTICE + DATASET_INTRO, "## The dataset\n\n" + settings_table(field_rows(BuildConfig, ""))]
    for name, field in BuildConfig.model_fields.items():
        kinds = [part for part in (field.annotation, *get_args(field.annotation)) if isinstance(part, type)]
        for kind in (kind for kind in kinds if issubclass(kind, BaseModel)):
            above = f"{name}.NAME." if get_origin(field.annotation) is dict else f"{name}."
            parts.append(f"## `{above[:-1]}`\n\n{doc(kind)}\n\n" + settings_table(field_rows(kind, above)))
    return "\n".join(parts)


def settings_table(rows: Iterator[tuple[str, str, str, str]]) -> str:
    """A table of settings."""
    return table(("key", "type", "default", "meaning"), list(rows))


# --- Command line --------------------------------------------------------------------------------------------------

CLI_INTRO: Final = """# Command line

`srpo COMMAND --help` says the same.  An error that you can mend is one line, and the exit status is 2.  After Ctrl-C
the status is 130, after a polite kill 143, and what is finished is kept.
"""


def cli_page() -> str:
    """docs/cli.md."""
    command = typer.main.get_command(app)
    return "\n".join([NOTICE + CLI_INTRO, *group_options(command), *command_parts(command, "srpo")])


def group_options(command: Any) -> Iterator[str]:
    """What `srpo` itself takes."""
    for param in command.params:
        yield f"`srpo {max(param.opts, key=len)}`: {param.help}.\n"


def command_parts(command: Any, path: str) -> Iterator[str]:
    """The sections of a command and of all below it."""
    for name, below in getattr(command, "commands", {}).items():
        if hasattr(below, "commands"):
            yield f"## {path} {name}\n\n{below.help}\n"
            yield from command_parts(below, f"{path} {name}")
        else:
            yield command_section(below, f"{path} {name}")


def command_section(command: Any, path: str) -> str:
    """Usage, help and parameters of one command."""
    rows, usage = [], [path]
    for param in command.params:
        option = param.param_type_name == "option"
        title = ", ".join(f"`{flag}`" for flag in sorted(param.opts, key=len, reverse=True)) if option else ""
        metavar = "" if getattr(param, "is_flag", False) else str(param.metavar or param.name)
        rows.append((title or f"`{metavar}`", metavar if option else "", option_default(param), param.help or ""))
        if not option:
            usage.append(metavar)
    if any(param.param_type_name == "option" for param in command.params):
        usage.append("[OPTIONS]")
    # A backslash keeps the terminal from reading a bracket as markup.
    words = "\n\n".join(" ".join(p.split()) for p in re.split(r"\n\s*\n", command.help)).replace("\\[", "[")
    text = f"## {path}\n\n    {' '.join(usage)}\n\n{words}\n"
    return text + "\n" + table(("argument", "value", "default", "meaning"), rows)


def option_default(param: Any) -> str:
    """The default of a parameter, or that it is required."""
    if param.required:
        return "required"
    return "" if param.default in (None, False) else f"`{param.default}`"


PAGES: Final = {
    "records.md": records_page,
    "config.md": config_page,
    "ssui_config.md": dataset_page,
    "cli.md": cli_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(DOCS / name)


if __name__ == "__main__":
    main()
