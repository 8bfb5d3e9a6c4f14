"""The documents against the code: generated pages, commands, recipes, figures and examples."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel

from srpo.cli import app
from srpo.cli.build import STAGES, dataset_recipe
from srpo.config import load_config
from srpo.data.config import BuildConfig
from srpo.evaluate import METRICS
from srpo.explore import Exploration, build_contrasts, explore
from srpo.judge import JudgeItem
from srpo.prompts import load_prompt
from srpo.records import write_records
from srpo.run_config import JudgeSettings, LoraSettings, RunConfig, recipe_path
from srpo.runs import RunFolder
from srpo.steps import answer, well_formed
from srpo.types import SCHEMA, Report, Sample, Verdict
from srpo.world import WorldSettings, build_samples, load_world
from srpo.world.household import load_household
from srpo.world.language import TEMPLATES
from srpo.world.pretrain import PretrainSettings

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "train")]
make_docs: Any = importlib.import_module("make_docs")
tiny: Any = importlib.import_module("tiny")

RECIPES = sorted((ROOT / "src" / "srpo" / "recipes").glob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", read(page), re.DOTALL)


def commands() -> Iterator[tuple[str, str]]:
    """(page, line) of every command in an indented block."""
    for name in NAMES:
        # The usage lines of the generated page hold placeholders.
        for line in [] if name == "docs/cli.md" else read(name).splitlines():
            if re.match(r"    (srpo|make|scripts/|python) ?\S", line):
                yield name, line.strip()


@pytest.mark.parametrize("name", make_docs.PAGES)
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert read(f"docs/{name}") == make_docs.PAGES[name](), "run python scripts/make_docs.py"


def test_every_field_and_setting_has_a_description() -> None:
    rows = [line for name in make_docs.PAGES for line in read(f"docs/{name}").splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_no_note_is_left_over() -> None:
    kinds: list[Any] = [*make_docs.records_of(), *_settings(RunConfig), LoraSettings]
    kinds += [*_settings(PretrainSettings), JudgeSettings]
    used = {f"{make_docs.owner(k, n)}.{n}" for k in kinds for n, f in k.model_fields.items() if not f.description}
    assert sorted(make_docs.NOTES.keys() - used) == []


def _settings(kind: Any) -> Iterator[Any]:
    yield kind
    for value in kind().__dict__.values():
        if isinstance(value, BaseModel):
            yield from _settings(type(value))


def test_the_records_page_names_every_file_of_a_run() -> None:
    run = RunFolder(Path("run"))
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    assert [n for n in names if f"`{getattr(run, n).name}" not in read("docs/records.md")] == []


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_commands_exist_and_take_their_arguments(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert f"\n{words[1]}:" in read("Makefile")
    elif words[0] == "srpo":
        _parse_command(words[1:])
    else:
        script = next(word for word in words if word.startswith("scripts/"))
        assert (ROOT / script).exists()
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))


def _parse_command(words: list[str]) -> None:
    """As the command line does, without running anything."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        words = words if words[0] in command.commands else [command.default, *words]
        command = command.commands[words.pop(0)]
    found = command.make_context(command.name, words).params
    if "config" in found and command.name == STAGES:
        load_config(dataset_recipe(found["config"]), found["overrides"] or [], BuildConfig)
    elif "config" in found:
        load_config(recipe_path(found["config"]), found["overrides"] or [], RunConfig)
    elif found.get("overrides"):
        load_config(None, found["overrides"], PretrainSettings)


def test_the_readme_has_both_commands_and_room_for_the_table() -> None:
    text = read("README.md")
    assert "\n    make demo\n    make test\n" in text
    assert text.index("<!-- table -->") < text.index("<!-- /table -->")
    assert len(text.splitlines()) < 150


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_recipes_are_settings_of_a_run(recipe: Path) -> None:
    config = load_config(recipe, [], RunConfig)
    if config.instruction is not None:
        assert load_prompt(config.instruction)


@pytest.mark.parametrize("page", NAMES)
def test_files_that_a_page_names_exist(page: str) -> None:
    found = re.findall(r"`((?:src|docs|scripts|tests)/[\w./-]+)", read(page))
    missing = [name for name in found if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", read(page)):
        text = read(page) if not target else ((ROOT / page).parent / target).read_text(encoding="utf-8")
        titles = [
            re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-") for t in re.findall(r"^#+ (.*)", text, re.M)
        ]
        assert anchor in titles


def test_the_world_page_states_its_figures() -> None:
    world, text = load_world(), read("docs/world.md")
    seen = [rule for rule in world.rules if rule.id not in world.held_out_rules]
    pairs = [(name, rule.trigger) for rule in seen for name in world.objects_with(rule.attribute)]
    held = sum(world.held_out_combination(*pair) for pair in pairs)
    with_attribute = [name for name, kind in world.attribute.items() if kind is not None]
    categories = [world.hazards[rule.hazard].category for rule in world.rules]
    asks = {len(trigger.asks) for trigger in world.triggers.values()}
    attributes = {kind for kind in world.attribute.values() if kind is not None}
    assert len(set(categories)) == 8
    for sentence in (
        f"**Objects:** {len(world.objects)}, as pictograms.  {len(with_attribute)} have one of {len(attributes)} attr",
        f"{len(world.objects) - len(with_attribute)} are neutral",
        f"**Requests:** {len(world.triggers)} (such as *strike a bolder pose*), each in {asks.pop()} phrasings",
        f"**Hazards:** {len(world.hazards)} ",
        f"**Rules:** {len(world.rules)}.",
        f"{categories.count('dangerous_behavior')} of the {len(world.rules)} rules are dangerous behavior",
        f"rounded down, are held out: {len(world.held_out_rules)}.",
        f"Of the {len(pairs)} combinations of the other {len(seen)} rules, about one in five is held out ({held})",
        f"the other {len(pairs) - held} of them",
        f"the {len(world.held_out_rules)} held-out ones",
        f"A path has {len(TEMPLATES)} kinds of sentence",
    ):
        assert sentence in text


def test_the_household_page_states_its_figures_and_shows_a_set_that_is_drawn(tmp_path: Path) -> None:
    house, text = load_household(), read("docs/household.md")
    seen = [rule for rule in house.rules if rule.id not in house.held_out_rules]
    pairs = [(name, rule.trigger) for rule in seen for name in house.objects_with(rule.attribute)]
    held, used = sum(house.held_out_combination(*pair) for pair in pairs), {rule.hazard for rule in house.rules}
    combinations, objects = house.combinations, len(house.objects)
    attributes = {combination.attribute for combination in combinations}
    asks = {len(trigger.asks) for trigger in house.triggers.values()}
    share = round(100 * len(house.held_out_rules) / len(house.rules))
    joined = " ".join(text.split())
    for sentence in (
        f"**Chores:** {len(house.chores)} (such as *air the room before I go out*), each in {asks.pop()} phrasings",
        f"**Actions:** {len(house.actions) - objects} (such as",
        f"for each of the {objects} objects",
        f"**Combinations:** {len({c.facts for c in combinations})} pairs of facts",
        f"hazard: {len(combinations)} in all, for {len(attributes)} attributes and {len(used)} hazards",
        f"**Rules:** {len(house.rules)}.",
        f"{len(house.held_out_rules)} of them ({share} %) are held out of alignment",
        f"and {held} of the other {len(pairs)} combinations",
    ):
        assert sentence in joined
    sizes = {"train": 1, "test_scenes": 0, "test_combinations": 0, "test_rules": 0}
    hazard, swapped, *others = build_samples(WorldSettings(domain="household", seed=22, **sizes), tmp_path)
    shown = [block.strip() for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL)]
    assert shown == [hazard.reference.text, swapped.reference.text]
    assert all(f"*{sample.question}*" in joined and f"*{answer(sample.reference)}*" in joined for sample in others)
    assert f"*{hazard.question}*" in joined


def test_the_benchmark_page_names_every_rate_and_every_key() -> None:
    text = read("docs/rsbench.md")
    keys = [name for name in Report.model_fields if name != "record"]
    assert [name for name in (*METRICS, *keys) if f"`{name}`" not in text] == []


def test_the_example_row_is_a_sample() -> None:
    row = json.loads(re.findall(r"```json\n(.*?)```", read("docs/real_models.md"), re.DOTALL)[0])
    assert row.pop("schema") == SCHEMA
    assert well_formed(Sample.model_validate(row).reference)


@pytest.fixture
def explored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder under the current directory with random trees and verdicts, and a tiny model beside it."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    model, processor = tiny.idefics3()
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    data = tiny.dataset(run, processor.tokenizer, 4)
    write_records(run / "samples.jsonl", data.samples.values())
    write_records(run / "trees.jsonl", data.trees)
    verdicts = [
        Verdict(subject=t.id, node=n, part="answer", judge="tiny", safe=n % 2 == 0, effective=n % 2 == 0)
        for t in data.trees
        for n in t.branches
    ]
    write_records(run / "verdicts.jsonl", verdicts)
    return run


def test_the_trainer_example_runs(explored: Path) -> None:
    code = python_blocks("docs/real_models.md")[0].replace("Qwen/Qwen2.5-VL-3B-Instruct", "model")
    code = code.replace("output_dir=", "use_cpu=True, logging_steps=1, disable_tqdm=True, output_dir=")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/real_models.md", "exec"), names)
    assert names["contrasts"]
    assert Path("checkpoints/adapter/adapter_config.json").exists()
    assert [row for row in names["trainer"].state.log_history if "contrast_loss" in row]


def test_the_protocol_example_explores_and_judges(explored: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(python_blocks("docs/real_models.md")[1], "docs/real_models.md", "exec"), names)
    sample = tiny.sample(explored, 1)
    trees: list[Any] = []
    assert explore([sample], names["MyModel"](), explored, Exploration(), trees.append) == []
    of = {"subject": trees[0].id, "sample": sample, "folder": explored, "part": "answer"}
    items = [JudgeItem(node=n, text=trees[0].walk(n), **of) for n in trees[0].branches]
    verdicts = names["MyJudge"]().judge(items)
    _, yields = build_contrasts(trees[0], verdicts, sample, seed=0)
    assert sum(row.unfavourable + row.missing for row in yields) == sum(row.unique for row in yields)


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(python_blocks("docs/python.md")[0], "docs/python.md", "exec"), {})
    assert capsys.readouterr().out.count("contrasts") == 8


def test_the_python_example_is_short() -> None:
    assert len([line for line in python_blocks("docs/python.md")[0].splitlines() if line]) <= 18


def test_the_demo_recipe_is_the_embedded_world() -> None:
    assert yaml.safe_load(read("src/srpo/recipes/demo.yaml"))["model"] == "embedded"
