"""A whole tiny study: shared branches, a base, own training and TRL's, and the page; and it goes on after a stop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from study_files import final_task, small_study, study_in

from srpo.errors import DataError
from srpo.stages import run_stage
from srpo.study import work
from srpo.study.page import write_page
from srpo.study.results import Results
from srpo.study.settings import Method, Sweep
from srpo.study.work import config_of, count_branches, do_run, make_trees

RUN: dict[str, Any] = {
    "world": {"seed": 30000, "train": 2, "test_scenes": 0, "test_combinations": 0, "test_rules": 2},
    "explore": {"branches_per_prefix": 6, "prefixes": [2], "sampling": {"temperature": 1.2, "max_new_tokens": 100}},
    "train": {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "warmup_steps": 0.5},
    "evaluate": {"max_new_tokens": 100},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: Any) -> Any:
    methods = {
        "base": Method(label="Base", trainer="none"),
        "sft": Method(label="SFT", trainer="own", run={"train": {"loss_type": "sft"}}),
        "srpo": Method(label="SRPO", trainer="own", samples=True),
    }
    made = small_study(run=RUN, seeds=(0,), updates=1, methods=methods, sweep=Sweep(rates=(1e-4,), splits=("val",)))
    return study_in(tmp_path_factory.mktemp("study"), made)


def test_a_run_leaves_its_figures_and_nothing_else(study, tmp_path):
    places = study.places
    config = config_of(study.settings, final_task("base", 0, updates=1), places)
    make_trees(study.settings, final_task("srpo", 0, updates=1), places, study.results)
    assert places.has_trees(config) and study.results.branches("shipped", 0).exists()
    own = Method(label="Own", trainer="none", run={"explore": RUN["explore"]})  # so its branches are there already
    drawing = study.settings.model_copy(update={"methods": {**study.settings.methods, "own": own}})
    count_branches(drawing, final_task("own", 0, updates=1), places, study.results)
    counts = [json.loads(study.results.branches("shipped", 0, drawn).read_text()) for drawn in ("", "own")]
    assert [count.pop("drawn") for count in counts] == ["", "own"] and counts[0] == counts[1]
    for method in ("base", "srpo"):
        do_run(study.settings, final_task(method, 0, updates=1), places, study.results)
    base, srpo = (study.results.read(final_task(name, 0, updates=1)) for name in ("base", "srpo"))
    assert [len(text) for text in base.sets["greedy"].values()] == [16]
    assert (base.cost.updates, base.cost.sampled_tokens, srpo.cost.updates) == (0, 0, 1)
    assert srpo.cost.sampled_tokens > 0 and srpo.cost.trained_tokens > 0 and "loss, last" in srpo.notes
    edits = {edit: "".join(splits.values()) for edit, splits in base.edits.items()}
    assert edits and all(len(letters) == 2 and set(letters) <= set("fk-") for letters in edits.values())
    assert list((places.path / "runs").iterdir()) == []
    assert study.results.items("test").digest == base.items
    write_page(study, tmp_path / "study.md")  # the base alone: nothing else has a rate yet
    assert "| Base |" in (tmp_path / "study.md").read_text()


def test_a_run_that_was_stopped_goes_on_with_its_trained_model(study, monkeypatch):
    task, places = final_task("sft", 0, updates=1), study.places
    config = config_of(study.settings, task, places)
    if not places.has_trees(config):
        make_trees(study.settings, task, places, study.results)

    def stopped(run: Any, config: Any, stage: str, bars: Any) -> None:
        if stage == "evaluate":
            raise DataError("stopped")
        run_stage(run, config, stage, bars)

    with monkeypatch.context() as patch:
        patch.setattr(work, "run_stage", stopped)
        with pytest.raises(DataError, match="stopped"):
            do_run(study.settings, task, places, study.results)
    assert (places.run(task) / "checkpoint" / "final").is_dir() and not study.results.has(task)
    monkeypatch.setattr(work, "_train_own", None)  # is not called again
    do_run(study.settings, task, places, study.results)
    finished = study.results.read(task)
    assert finished.cost.updates == 1 and finished.cost.train_seconds > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trainer", ["dpo", "kto", "grpo"])
def test_trainers_of_trl_leave_a_model_that_answers(study, trainer):
    pytest.importorskip("trl")
    trl = {"num_generations": 2} if trainer == "grpo" else {}
    methods = {**study.settings.methods, trainer: Method(label=trainer, trainer=trainer, trl=trl)}
    settings = study.settings.model_copy(update={"methods": methods})
    task = final_task(trainer, 0, updates=1)
    config = config_of(settings, task, study.places)
    if not study.places.has_trees(config):
        make_trees(settings, task, study.places, study.results)
    results = Results(study.results.path, settings)
    do_run(settings, task, study.places, results)
    finished = results.read(task)
    assert finished.cost.updates == 1 and finished.cost.trained_tokens > 0
    assert (finished.cost.sampled_tokens > 0) == (trainer == "grpo")
    assert len(finished.sets["greedy"]["test_rules"]) == 16
