"""Which runs there are, which rate is chosen, and what is next."""

from __future__ import annotations

import pytest
from study_files import MISSED, RIGHT, final_task, keep, small_study, study_in, sweep_task
from typer.testing import CliRunner

from srpo.cli import app
from srpo.errors import ConfigError, DataError
from srpo.study.choice import chosen_rates
from srpo.study.planning import hours, plan_lines
from srpo.study.read import Read
from srpo.study.schedule import Job, work_off
from srpo.study.settings import Ablation, Curve, Method, load_study, merge
from srpo.study.tables import all_tables
from srpo.study.tasks import ablation_tasks, all_tasks, main_tasks, sweep_tasks
from srpo.study.wanted import EVERYTHING, Wanted, parts_of
from srpo.study.work import config_of


def test_one_mapping_is_laid_over_another():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {}}) == {"a": {"b": 4, "c": 2}, "d": {}}


@pytest.mark.parametrize("name", ["full", "quick", "text", "plans", "wrong"])
def test_shipped_studies_make_settings_for_every_run(name, tmp_path):
    settings = load_study(name)
    tasks = all_tasks(settings, dict.fromkeys(settings.methods, 1e-4))
    places = study_in(tmp_path).places
    configs = [config_of(settings, task, places) for task in tasks]
    assert {config.evaluate.judge.kind for config in configs if config.evaluate.judge} == {"oracle"}
    assert len({task.id for task in tasks}) == len(tasks)
    swept = [config for task, config in zip(tasks, configs, strict=True) if task.purpose == "sweep"]
    assert all("test_rules" not in config.evaluate.splits for config in swept)
    compared = [config for task, config in zip(tasks, configs, strict=True) if task.purpose == "ablation"]
    assert bool(compared) == (name == "full")
    assert all((config.evaluate.splits, config.evaluate.probes) == (("test_rules",), ()) for config in compared)


def test_training_sets_go_by_the_seed_and_tests_do_not(tmp_path):
    study = study_in(tmp_path)
    one, two = (config_of(study.settings, final_task("sft", seed), study.places) for seed in (0, 1))
    assert (one.world.train_seed, two.world.train_seed) == (1000, 1001)
    assert one.world.seed == two.world.seed
    assert study.places.trees(one) != study.places.trees(two)


def test_methods_share_branches(tmp_path):
    study = study_in(tmp_path)
    sft, srpo = (config_of(study.settings, final_task(name, 0), study.places) for name in ("sft", "srpo"))
    assert study.places.trees(sft) == study.places.trees(srpo)


def test_a_method_waits_for_its_rate(tmp_path):
    study = study_in(tmp_path)
    keep(study, sweep_task("sft", 1e-4), [RIGHT, RIGHT], [MISSED, MISSED])
    assert chosen_rates(study.settings, study.results) == {"base": 0.0}
    keep(study, sweep_task("sft", 3e-4), [RIGHT, MISSED], [RIGHT, RIGHT])
    assert chosen_rates(study.settings, study.results) == {"base": 0.0, "sft": 3e-4}
    assert {t.method for t in study.missing() if t.purpose == "test"} == {"base", "sft"}


def test_of_equal_rates_the_smaller_is_chosen(tmp_path):
    study = study_in(tmp_path)
    for rate in (1e-4, 3e-4):
        keep(study, sweep_task("sft", rate), [RIGHT, MISSED], [RIGHT, MISSED])
    assert chosen_rates(study.settings, study.results)["sft"] == 1e-4


def test_shared_branches_come_before_the_runs(tmp_path):
    study = study_in(tmp_path)
    jobs = list(study.jobs())
    assert {job.kind for job in jobs} == {"trees"}
    mark = study.places.mark(study.places.trees(config_of(study.settings, jobs[0].task, study.places)))
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert [job.kind for job in study.jobs()][:2] == ["run", "run"]


def test_a_base_comes_first(tmp_path):
    study = study_in(tmp_path, small_study(bases={"second": {"seed": 1}}))
    assert [(job.kind, job.name) for job in study.jobs()] == [("base", "second")]


def test_without_time_nothing_is_begun(tmp_path):
    said: list[str] = []
    assert work_off(study_in(tmp_path), 2, 0.0, EVERYTHING, said.append) == []
    assert said == []


def test_the_plan_in_words(tmp_path):
    study = study_in(tmp_path)
    keep(study, sweep_task("sft", 1e-4), [RIGHT, RIGHT], [MISSED, MISSED])
    lines = list(plan_lines(study))
    assert lines[0] == "rates: 1 of 4 runs finished"
    assert lines[1] == "methods: 0 of 6 runs finished, 4 wait for the learning rate of their method"
    assert lines[-1].startswith("about 0.8 hours of one core for 9 runs")  # 3 of 80 s, and 6 guessed
    with pytest.raises(DataError, match="no such method"):
        Wanted(methods=("nothing",)).check(study.settings)


def test_a_run_is_likely_to_take_as_long_as_those_of_its_purpose(tmp_path):
    ablations = {"lambda": Ablation(title="A", methods=("srpo",), seeds=(0, 1), variants={"x": {}})}
    study = study_in(tmp_path, small_study(ablations=ablations))
    for rate in (1e-4, 3e-4):
        keep(study, sweep_task("srpo", rate), [RIGHT], [RIGHT], train_seconds=180)
    first, second = (task for task in study.missing() if task.ablation)
    assert study.seconds(Job("run", second.id, second)) == 200  # those of another purpose, as there are no others
    keep(study, first, [RIGHT], [RIGHT], train_seconds=30)
    assert study.seconds(Job("run", second.id, second)) == 50
    tests = [final_task("srpo", 0), final_task("srpo", 1)]  # as all others on average, 150 s
    assert hours(study, [second, *tests]) == (50 + 2 * 150) / 3600


def test_parts_and_bases_can_be_asked_for(tmp_path):
    curve = Curve(methods=("sft",), updates=(2,), seeds=(0,))
    ablations = {"lambda": Ablation(title="A", methods=("srpo",), seeds=(0,), variants={"x": {}})}
    study = study_in(
        tmp_path, small_study(curve=curve, ablations=ablations, bases={"shipped": {}, "second": {"seed": 1}})
    )
    for method in ("sft", "srpo"):
        for rate in (1e-4, 3e-4):
            keep(study, sweep_task(method, rate), [RIGHT, RIGHT], [RIGHT, RIGHT])
    ids = {
        name: [task.id for task in study.missing(wanted)]
        for name, wanted in {
            "updates": Wanted(parts=("updates",)),
            "lambda": Wanted(parts=("lambda",)),
            "second": Wanted(parts=("methods",), methods=("srpo",), bases=("second",)),
            "rates": Wanted(parts=("rates",)),
        }.items()
    }
    assert ids == {
        "updates": ["ablation-sft-shipped-seed0-rate1e-04-updates2"],
        "lambda": ["ablation-srpo+lambda=x-shipped-seed0-rate1e-04-updates4"],
        "second": [f"test-srpo-second-seed{seed}-rate1e-04-updates4" for seed in (0, 1)],
        "rates": [],
    }
    assert parts_of(study.settings) == ("rates", "methods", "updates", "lambda")
    for wanted, problem in ((Wanted(parts=("all",)), "--part all"), (Wanted(bases=("third",)), "--base third")):
        with pytest.raises(DataError, match=problem):
            wanted.check(study.settings)


def test_curves_and_ablations_are_runs_of_their_own():
    study = small_study(
        curve=Curve(methods=("sft",), updates=(2, 4), seeds=(0,)),
        ablations={"weight": Ablation(title="Weight", methods=("srpo",), variants={"1": {"label": "x"}}, seeds=(0,))},
    )
    ids = [task.id for task in all_tasks(study, {"base": 0.0, "sft": 1e-4, "srpo": 1e-4})]
    assert "ablation-sft-shipped-seed0-rate1e-04-updates2" in ids
    assert [i for i in ids if "sft" in i and "updates4" in i and "seed0" in i] == [
        "test-sft-shipped-seed0-rate1e-04-updates4"  # the main run is the curve's as well
    ]
    assert "ablation-srpo+weight=1-shipped-seed0-rate1e-04-updates4" in ids


def test_variants_on_development_are_runs_of_the_sweep_and_have_a_table_of_their_own(tmp_path):
    tried = Ablation(title="Weight", methods=("srpo",), variants={"1": {"label": "x"}}, development=True)
    study = study_in(tmp_path, small_study(ablations={"weight": tried}))
    for rate, sets in ((1e-4, [RIGHT, RIGHT]), (3e-4, [RIGHT, MISSED])):
        keep(study, sweep_task("srpo", rate), sets, sets)
    (task,) = ablation_tasks(study.settings, chosen_rates(study.settings, study.results))
    assert task.id == "sweep-srpo+weight=1-shipped-seed100-rate1e-04-updates4"
    keep(study, task, [RIGHT, MISSED], [MISSED, MISSED])
    table = all_tables(Read(study.settings, study.results))[-1]
    assert table.title == "Tried on development: weight"
    assert [(row[1], row[2].split(" ")[0], row[3].split(" ")[0]) for row in table.rows] == [
        ("as it is", "100.0", "100.0"),
        ("1", "50.0", "0.0"),
    ]


def test_a_method_may_take_the_rate_of_another(tmp_path):
    methods = {**small_study().methods, "rounds": Method(label="Rounds", trainer="rounds", rate_of="sft")}
    study = study_in(tmp_path, small_study(methods=methods))
    assert "rounds" not in {task.method for task in sweep_tasks(study.settings)}
    for rate, sets in ((1e-4, [RIGHT, MISSED]), (3e-4, [RIGHT, RIGHT])):
        keep(study, sweep_task("sft", rate), sets, sets)
    assert chosen_rates(study.settings, study.results) == {"base": 0.0, "sft": 3e-4, "rounds": 3e-4}


def test_bases_after_the_first_have_the_methods_that_are_named():
    own = {"methods": ("base", "srpo"), "seeds": (1,)}
    study = small_study(bases={"shipped": {}, "second": {"seed": 1}}, elsewhere=own, seeds=(0, 1))
    tasks = list(main_tasks(study, {"base": 0.0, "sft": 1e-4, "srpo": 1e-4}))
    first = [(t.seed, t.method) for t in tasks if t.base == "shipped"]
    assert first == [(seed, method) for seed in (0, 1) for method in ("base", "sft", "srpo")]
    assert [(t.seed, t.method) for t in tasks if t.base == "second"] == [(1, "base"), (1, "srpo")]


def test_ablations_come_seed_by_seed_and_those_of_development_before_the_tests():
    both = {
        "lambda": Ablation(title="A", methods=("srpo",), seeds=(0, 1), variants={"x": {}}),
        "noise": Ablation(title="B", methods=("srpo",), seeds=(0, 1), variants={"y": {}}),
        "beta": Ablation(title="C", methods=("srpo",), variants={"z": {}}, development=True),
    }
    tasks = all_tasks(small_study(ablations=both, seeds=(0,)), {"srpo": 1e-4})
    named = [(task.purpose, task.seed, task.ablation) for task in tasks if task.ablation or task.purpose == "test"]
    assert named == [
        ("sweep", 100, "beta"),
        ("test", 0, ""),
        *(("ablation", seed, ablation) for seed in (0, 1) for ablation in ("lambda", "noise")),
    ]


@pytest.mark.parametrize("name", ["rates", "methods", "updates"])
def test_an_ablation_cannot_have_the_name_of_another_part(name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        small_study(ablations={name: Ablation(title="A", methods=("srpo",), variants={"x": {}})})


def test_a_variant_that_is_no_method_is_named():
    ablations = {"bad": Ablation(title="Bad", methods=("srpo",), variants={"x": {"trainr": "own"}})}
    with pytest.raises(ConfigError, match=r"ablations\.bad\.variants\.x"):
        small_study(ablations=ablations).method("srpo", "bad", "x")


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="no method 'ppo'"):
        small_study(against=("ppo",))


def test_the_command_line_plans_and_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = CliRunner().invoke(app, ["study", "plan"])
    assert planned.exit_code == 0 and "rates: 0 of 36 runs finished" in planned.output
    written = CliRunner().invoke(app, ["study", "tables", "--quick", "--page", "page.md"])
    assert written.exit_code == 0 and "No run is finished yet." in (tmp_path / "page.md").read_text()
    assert CliRunner().invoke(app, ["study", "run", "--minutes", "0"]).exit_code == 0


def test_a_study_of_another_name_has_folders_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "mine.yaml"
    own.write_text(small_study().model_dump_json())
    done = CliRunner().invoke(app, ["study", "run", "--study", str(own), "--minutes", "0"])
    assert done.exit_code == 0 and "docs/measurements/study-mine" in "".join(done.output.split("\n"))
    written = CliRunner().invoke(app, ["study", "tables", "--study", str(own), "--page", "page.md"])
    assert written.exit_code == 0 and "<!-- tables mine -->" in (tmp_path / "page.md").read_text()
