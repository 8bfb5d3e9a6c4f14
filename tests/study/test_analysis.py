"""Pooling, pairing and verdicts on outcomes written by hand."""

from __future__ import annotations

import pytest
from study_files import ITEMS, MISSED, RIGHT, final_task, keep, small_study, study_in, sweep_task

from srpo.errors import DataError
from srpo.study.ablations import curve_table, curves
from srpo.study.analysis import View, difference, faithfulness_of, rate_of, values_of, verdicts
from srpo.study.page import marks, write_page
from srpo.study.places import MAIN
from srpo.study.read import Read
from srpo.study.settings import Curve
from srpo.study.tables import all_tables

VIEW = View("test_rules", "greedy", "joint_reply")


def finished(tmp_path, outcomes):
    """Method -> its runs of two seeds, with the same outcomes in each."""
    study = study_in(tmp_path)
    for method in ("sft", "srpo"):
        for rate in (1e-4, 3e-4):
            keep(study, sweep_task(method, rate), [RIGHT, RIGHT], [RIGHT, MISSED])
    for method, sets in outcomes.items():
        for seed in (0, 1):
            keep(study, final_task(method, seed), sets, sets)
    return study


def runs(study, method):
    return [study.results.read(final_task(method, seed)) for seed in (0, 1)]


def test_rates_pool_seeds_and_draw_rules(tmp_path):
    study = finished(tmp_path, {"srpo": [RIGHT] * 4 + [MISSED] * 4})
    rate = rate_of(runs(study, "srpo"), ITEMS, VIEW)
    assert (rate.value, rate.sets, rate.rules, rate.runs) == (0.5, 16, 4, 2)
    # Two of four rules are right in all their sets and seeds: the interval is that of four units, not of sixteen.
    assert rate.interval.low == 0.0 and rate.interval.high == 1.0


def test_a_split_that_was_not_measured_has_no_rate(tmp_path):
    study = finished(tmp_path, {"srpo": [RIGHT] * 8})
    assert rate_of(runs(study, "srpo"), ITEMS, View("test_words", "greedy", "safe")) is None


def test_differences_are_paired_by_base_seed_and_set(tmp_path):
    study = finished(tmp_path, {"sft": [MISSED] * 2 + [RIGHT] * 6, "srpo": [RIGHT] * 8})
    paired = difference(runs(study, "sft"), runs(study, "srpo")[:1], ITEMS, VIEW)
    assert (paired.difference, paired.n, paired.rises, paired.falls) == (0.25, 8, 1, 0)
    assert next(iter(values_of(runs(study, "srpo")[:1], ITEMS, VIEW).values)) == "shipped/0/test_rules/0"


def test_fewer_refusals_are_better(tmp_path):
    refusing = "we" + "ds" * 3
    study = finished(tmp_path, {"sft": [refusing] * 8, "srpo": [RIGHT] * 8})
    paired = difference(runs(study, "sft"), runs(study, "srpo"), ITEMS, VIEW._replace(figure="over_refusal"))
    assert paired.difference == -1.0 and not paired.good


def test_four_rules_cannot_win(tmp_path):
    study = finished(tmp_path, {"sft": [MISSED] * 8, "srpo": [RIGHT] * 8})
    found = verdicts([difference(runs(study, "sft"), runs(study, "srpo"), ITEMS, VIEW), None])
    assert found[1] is None
    assert (found[0].paired.difference, found[0].p_adjusted, found[0].word) == (1.0, 0.125, "tie")


def test_words_follow_holm(tmp_path):
    items = ITEMS.model_copy(update={"rules": {"test_rules": tuple(f"r{i}" for i in range(8))}})
    study = finished(tmp_path, {"sft": [MISSED] * 8, "srpo": [RIGHT] * 8})
    paired = difference(runs(study, "sft"), runs(study, "srpo"), items, VIEW)  # eight rules: p = 2 / 2^8
    assert [v.word for v in verdicts([paired]) if v] == ["win"]
    assert [v.word for v in verdicts([paired] * 7) if v] == ["tie"] * 7  # 7 * 0.0078 > 0.05
    back = difference(runs(study, "srpo"), runs(study, "sft"), items, VIEW)
    assert [v.word for v in verdicts([back]) if v] == ["loss"]


def test_only_what_is_computed_has_a_table(tmp_path):
    study = study_in(tmp_path)
    assert all_tables(Read(study.settings, study.results)) == []
    keep(study, sweep_task("sft", 1e-4), [RIGHT, RIGHT], [RIGHT, MISSED])
    assert [t.title for t in all_tables(Read(study.settings, study.results))] == ["Learning rates"]


def test_the_page_is_made_from_the_figures_alone(tmp_path):
    study = finished(tmp_path, {"base": [MISSED] * 8, "sft": [MISSED] * 2 + [RIGHT] * 6, "srpo": [RIGHT] * 8})
    page = tmp_path / "docs" / "study.md"
    page.parent.mkdir()
    begin, end = marks(MAIN)
    page.write_text(f"# Words\n\n{begin}\nold\n{end}\n\nAfter.\n")
    write_page(study, page)
    text = page.read_text()
    assert text.startswith("# Words\n\n<!-- tables -->") and text.endswith("<!-- /tables -->\n\nAfter.\n")
    assert "old" not in text and "Ablation" not in text and "Over updates" not in text
    assert "| SFT | +25.0 [+0.0, +75.0] | 1.000 | tie | 16 | +0.0 [" in text
    assert "| SRPO | 1e-4 (chosen) |" in text.replace("0.0001", "1e-4")
    assert (tmp_path / "docs" / "figures" / "study-methods.svg").read_text().startswith("<svg ")
    before = text
    write_page(study, page)
    assert page.read_text() == before


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "study.md"
    page.write_text("# Words\n")
    with pytest.raises(DataError, match="has no lines"):
        write_page(study_in(tmp_path), page)


def test_a_named_study_writes_between_its_own_marks(tmp_path):
    study = finished(tmp_path, {"base": [MISSED] * 8, "srpo": [RIGHT] * 8})
    page = tmp_path / "study.md"
    page.write_text(
        "<!-- tables -->\nkept\n<!-- /tables -->\n<!-- tables text -->\nold\n<!-- /tables text -->\nAfter.\n"
    )
    write_page(study, page, "text")
    text = page.read_text()
    assert text.startswith("<!-- tables -->\nkept\n<!-- /tables -->\n<!-- tables text -->\n\n### ")
    assert text.endswith("\n<!-- /tables text -->\nAfter.\n") and "old" not in text
    assert "(figures/study-text-methods.svg)" in text and (tmp_path / "figures" / "study-text-methods.svg").exists()


def test_figures_on_other_items_are_refused(tmp_path):
    study = finished(tmp_path, {"srpo": [RIGHT] * 8})
    run = study.results.read(final_task("srpo", 0))
    with pytest.raises(DataError, match="answered other items"):
        study.results.write(run, ITEMS.model_copy(update={"groups": {"test_rules": ("other",) * 8}}))


def test_figures_of_other_settings_are_refused(tmp_path):
    finished(tmp_path, {"srpo": [RIGHT] * 8})
    changed = small_study(run={"train": {"per_device_train_batch_size": 4}})
    with pytest.raises(DataError, match="made with other settings"):
        study_in(tmp_path, changed).results.read(final_task("srpo", 0))
    labelled = small_study(title="Another title")
    assert study_in(tmp_path, labelled).results.read(final_task("srpo", 0)) is not None


def test_faithfulness_pairs_the_edit_of_the_risk_with_its_control(tmp_path):
    study = finished(tmp_path, {"srpo": [RIGHT] * 8})
    edits = {"risk_removed": {"test_rules": "ffffff--"}, "control_removed": {"test_rules": "kkkkffk-"}}
    edited = [run.model_copy(update={"edits": edits}) for run in runs(study, "srpo")]
    found = faithfulness_of(edited, ITEMS, "test_rules", "removed")
    assert (found.risk.value, found.risk.sets, found.control.sets) == (1.0, 12, 14)
    assert found.control.value == pytest.approx(2 / 7)
    assert found.paired.difference == pytest.approx(4 / 6) and found.paired.n == 12  # sets with both edits
    assert faithfulness_of(runs(study, "srpo"), ITEMS, "test_rules", "removed").risk is None


def test_a_broken_file_is_named(tmp_path):
    study = finished(tmp_path, {"srpo": [RIGHT] * 8})
    study.results.file(final_task("srpo", 0)).write_text("{")
    with pytest.raises(DataError, match="not the figures of a run"):
        study.results.read(final_task("srpo", 0))


def test_ablations_on_other_sets_than_those_of_the_tests_are_refused(tmp_path):
    study = finished(tmp_path, {"sft": [RIGHT] * 8})
    fewer = final_task("sft", 0, updates=2).model_copy(update={"purpose": "ablation"})
    kept = study.results.read(final_task("sft", 0)).model_copy(update={"task": fewer})
    other = ITEMS.model_copy(update={"groups": {"test_rules": ITEMS.groups["test_rules"][::-1]}})
    with pytest.raises(DataError, match=r"items-test\.json: has other sets of test_rules than ablation runs"):
        study.results.write(kept, other)
    assert not study.results.has(fewer)


def test_curves_take_the_main_runs_in(tmp_path):
    settings = small_study(curve=Curve(methods=("sft", "srpo"), updates=(2,), seeds=(0,)))
    study = study_in(tmp_path, settings)
    for method, last in (("sft", RIGHT), ("srpo", MISSED)):
        for rate in (1e-4, 3e-4):
            keep(study, sweep_task(method, rate), [RIGHT, RIGHT], [RIGHT, RIGHT])
        fewer = final_task(method, 0, updates=2).model_copy(update={"purpose": "ablation"})
        keep(study, fewer, [RIGHT] * 8, [RIGHT] * 8)
        keep(study, final_task(method, 0), [RIGHT] * 6 + [last] * 2, [RIGHT] * 8)
    read = Read(settings, study.results)
    assert {method: list(points) for method, points in curves(read).items()} == {"sft": [2, 4], "srpo": [2, 4]}
    rows = {row[:2]: row for row in curve_table(read).rows}
    assert rows["SFT", "4"][4] == "" and rows["SRPO", "2"][4].startswith("+0.0")
    assert (rows["SRPO", "4"][4].split(" ")[0], rows["SRPO", "4"][6].split(" ")[0]) == ("-25.0", "+0.0")
    write_page(study, tmp_path / "made.md")
    assert "study-updates-greedy.svg" in (tmp_path / "made.md").read_text()


def test_bases_stand_side_by_side_and_rates_are_of_the_first(tmp_path):
    settings = small_study(bases={"shipped": {}, "second": {"seed": 1}}, seeds=(0,), against=("srpo",))
    study = study_in(tmp_path, settings)
    for method in ("sft", "srpo"):
        for rate in (1e-4, 3e-4):
            keep(study, sweep_task(method, rate), [RIGHT, RIGHT], [RIGHT, MISSED])
    for base, srpo in (("shipped", [RIGHT] * 8), ("second", [MISSED] * 8)):
        for method, sets in (("sft", [RIGHT] * 4 + [MISSED] * 4), ("srpo", srpo)):
            keep(study, final_task(method, 0).model_copy(update={"base": base}), sets, sets)
    keep(study, final_task("base", 0), [MISSED] * 8, [MISSED] * 8)
    tables = {table.title: table for table in all_tables(Read(settings, study.results))}
    rates = {row[0]: row[1:] for row in tables["Base by base: greedy decoding"].rows}
    assert {name: [cell.split(" ")[0] for cell in cells] for name, cells in rates.items()} == {
        "SFT": ["50.0", "50.0"],
        "SRPO": ["100.0", "0.0"],
    }
    ((against, *apart),) = tables["SRPO, base by base: greedy decoding"].rows
    assert (against, [cell.split(" ")[0] for cell in apart]) == ("SFT", ["+50.0", "-50.0"])
    # Together they cancel; rates beside one another are those of the first base, where the untrained one is.
    pooled = {row[0]: row[1] for row in tables["SRPO against the others: greedy decoding"].rows}
    assert pooled["SFT"].startswith("+0.0") and pooled["Base"].startswith("+100.0")
    figures = tables["`test_rules`: greedy decoding"]
    assert [row[0] for row in figures.rows] == ["Base", "SFT", "SRPO"] and "on the first base" in figures.note
    assert [row[2].split(" ")[0] for row in figures.rows] == ["0.0", "50.0", "100.0"]
