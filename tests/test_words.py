"""A whole run on samples that are told in words, with a language model that takes text alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from run_files import copy_of, go, small, start, write_trees
from srpo.errors import ConfigError
from srpo.export import Plan, export_run
from srpo.finished import contrasts_of, of_splits, verdicts_of
from srpo.inputs import check_inputs
from srpo.models.hf import load_hf
from srpo.own_samples import read_own_samples
from srpo.progress import silent
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.study.places import Places
from srpo.study.settings import Method, Teaching, load_study
from srpo.study.teaching import Explored, lesson_of
from srpo.study.trl import Course, train_trl
from srpo.study.work import make_base
from srpo.types import Sample
from srpo.world import card
from srpo.world.knowledge import load_world
from srpo.world.pretrain import PretrainSettings, pretrain
from srpo.world.tiny import build_tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model that has hardly learned anything."""
    folder: Path = tmp_path_factory.mktemp("models") / "words"
    pretrain(folder, PretrainSettings(context="words", batch=2, clean_steps=1, mixed_steps=1), silent)
    return folder


@pytest.fixture(scope="module")
def config(model: Path) -> RunConfig:
    return small(model, "world.context=words")


@pytest.fixture(scope="module")
def told(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = start(tmp_path_factory.mktemp("runs") / "words", config)
    go(run, config)
    return run


def test_the_model_is_an_ordinary_folder_without_a_processor(model):
    loaded = load_hf(str(model), device="cpu")
    assert loaded.processor is loaded.tokenizer and 0.9e6 < loaded.model.num_parameters() < 2e6
    assert loaded.tokenizer.get_vocab() == build_tokenizer(load_world()).get_vocab()
    assert not list(model.glob("*processor_config.json"))


def test_a_study_makes_and_measures_its_base(tmp_path, monkeypatch):
    monkeypatch.setattr(card, "SETS", 1)
    base = {"context": "words", "batch": 2, "clean_steps": 1, "mixed_steps": 1}
    places = Places(tmp_path)
    make_base(load_study("text").model_copy(update={"bases": {"text": base}}), "text", places)
    assert places.has_base("text") and "language model" in (places.base("text") / "README.md").read_text()
    assert json.loads((places.base("text") / "card.json").read_text())["figures"]["greedy"]["joint"] == [0, 3]


def test_every_stage_runs_and_no_page_shows_a_picture(told):
    samples = read_records(told.samples, Sample)
    assert len(samples) == 28 and all(sample.image is None for sample in samples)
    assert (told.checkpoint / "final").is_dir()
    assert told.items_html.exists()
    page = told.report_html.read_text()
    assert "I can see a" in page and "<img" not in page


@pytest.mark.parametrize("form", ["trl", "swift", "llamafactory"])
def test_exported_rows_have_neither_a_picture_nor_its_tag(told, config, tmp_path, form):
    done = export_run(told, config, Plan(form, "sft", tmp_path, copy_images=True))
    text = done.path.read_text()
    assert done.rows == 16 and done.copied == 0
    assert '"images"' not in text and "<image>" not in text and "I can see a" in text
    assert form != "llamafactory" or '"images"' not in (tmp_path / "dataset_info.json").read_text()


def test_probes_of_pictures_are_refused(told, config, tmp_path):
    run = copy_of(told, tmp_path / "run", "results.jsonl", "report.*")
    probing = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"probes": ("blank",)})})
    with pytest.raises(ConfigError, match=r"evaluate\.probes blank: changes pictures, and no sample that is measured"):
        run_stage(run, probing, "evaluate", silent)


def test_the_shipped_model_is_not_asked_about_words():
    with pytest.raises(ConfigError, match="srpo world pretrain DIR context=words"):
        check_inputs(RunConfig.model_validate({"world": {"context": "words"}}))


def test_own_samples_may_lack_pictures(told, config, tmp_path):
    samples = [sample.model_copy(update={"split": "train"}) for sample in read_records(told.samples, Sample)]
    write_records(tmp_path / "mine.jsonl", samples)
    assert read_own_samples(tmp_path / "mine.jsonl", config) == samples


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trainer", ["dpo", "kto"])
def test_trainers_of_trl_take_rows_without_pictures(told, config, tmp_path, trainer: Any):
    pytest.importorskip("trl")
    run = copy_of(told, tmp_path / "run", "trees.jsonl", "verdicts.jsonl", "contrasts.jsonl", "checkpoint")
    trees = write_trees(run)
    run_stage(run, config, "judge", silent)
    contrasts, _ = contrasts_of(run, config)
    samples = {sample.id: sample for sample in of_splits(run, ("train",))}
    lesson = lesson_of(Explored(samples, trees, verdicts_of(run, trees), contrasts, run.path), Teaching(), 0)
    train_trl(run, Course(config, Method(label=trainer, trainer=trainer, trl={"beta": 0.1}), lesson))
    assert load_hf(str(run.trained), device="cpu").processor.chat_template
