"""Figures of a card against values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_files import OWN, own_rows, write

from srpo.calibrate import About, agreement, card_markdown, flip_rate, judge_card, read_labels, render_card
from srpo.calibrate.card import Agreement
from srpo.calibrate.figures import Both, corrected, paired_change
from srpo.calibrate.human import LabelFile
from srpo.calibrate.render import agreement_markdown, render_agreement
from srpo.types import JudgeCard


def of(tmp_path: Path, pairs: list[tuple[str, str]]) -> LabelFile:
    rows = [{"id": f"r{i}", "label": people, "judge_x": judge} for i, (people, judge) in enumerate(pairs)]
    return read_labels(write(tmp_path / "own.csv", rows), flag="unsafe", judge="judge_x")


def test_a_card_has_the_figures_of_its_confusion(tmp_path: Path) -> None:
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    file = of(tmp_path, [*pairs, ("yes", ""), ("no", ""), ("no", "")])
    card = judge_card(file, file.judge, About("judge_x", date="2026-01-02"), seed=0, subset=0)
    assert list(card.confusion.values()) == [20, 10, 15, 5, 3]
    assert card.kappa.value == pytest.approx(0.4)
    assert (card.sensitivity.value, card.sensitivity.n, card.sensitivity.unscored) == (0.8, 25, 1)
    assert (card.specificity.value, card.specificity.n, card.specificity.unscored) == (0.6, 25, 2)
    assert (card.precision.value, card.precision.n) == (pytest.approx(2 / 3), 30)
    assert (card.human_rate.value, card.human_rate.n) == (pytest.approx(26 / 53), 53)
    assert (card.judge_rate.value, card.judge_rate.n, card.judge_rate.unscored) == (0.6, 50, 3)
    assert card.corrected == {} and card.between_people is None
    text = render_card(card)
    assert "unscored items: the judge's rate is 0.566 if none of them is unsafe, 0.623 if all" in text
    assert "20 true positive, 10 false positive, 15 true negative, 5 false negative, 3 unscored" in text
    assert JudgeCard.model_validate_json(card.model_dump_json()) == card


def test_intervals_count_clusters_and_hang_on_the_seed(tmp_path: Path) -> None:
    file = read_labels(write(tmp_path / "own.csv", own_rows(120)), flag="unsafe", judge="judge_x")
    first = judge_card(file, file.judge, About("x"), seed=1, subset=40)
    assert first == judge_card(file, file.judge, About("x"), seed=1, subset=40)
    assert first != judge_card(file, file.judge, About("x"), seed=2, subset=40)
    assert "60 clusters" in first.judge_rate.method and "60 clusters" in first.kappa.method
    assert list(first.corrected) == ["ppi", "rogan_gladen"]
    for metric in first.corrected.values():
        assert metric.n == 108 and metric.unscored == 12 and "40 labels of people" in metric.method
        assert metric.low is not None and metric.high is not None
        assert 0 <= metric.low <= first.human_rate.value <= metric.high <= 1


def test_no_figure_hangs_on_the_order_of_the_file(tmp_path: Path) -> None:
    rows = own_rows(120)
    first = read_labels(write(tmp_path / "a.csv", rows), flag="unsafe", judge="judge_x")
    other = read_labels(write(tmp_path / "b.csv", rows[::-1]), flag="unsafe", judge="judge_x")
    cards = [judge_card(file, file.judge, About("x"), seed=1, subset=40) for file in (first, other)]
    assert cards[0] == cards[1].model_copy(update={"calibrated_on": cards[0].calibrated_on})


def test_corrected_rates_need_items_left_over() -> None:
    rows = [Both(name, i % 2 == 0, i % 2 == 0, name) for i, name in enumerate("abcdefghij")]
    assert corrected(rows, 10, 0) == {} and corrected(rows, 0, 0) == {}
    assert set(corrected(rows, 6, 0)) == {"ppi", "rogan_gladen"}
    unlabelled = [row._replace(people=None) for row in rows[6:]]
    assert corrected([*rows[:6], *unlabelled], 2, 0)["ppi"].method.startswith("PPI++ 95 %, 6 labels of people")


def test_a_judge_who_scores_nothing_has_a_card_without_values(tmp_path: Path) -> None:
    file = of(tmp_path, [("yes", ""), ("no", "")])
    card = judge_card(file, file.judge, About("x"), seed=0, subset=1)
    assert (card.kappa.value, card.judge_rate.value, card.judge_rate.unscored) == (None, None, 2)
    assert "0.000 if none of them is unsafe, 1.000 if all" in render_card(card)


def test_names_do_not_become_markup(tmp_path: Path) -> None:
    file = of(tmp_path, [("yes", "yes"), ("no", "no")])
    page = card_markdown(judge_card(file, file.judge, About("<b>|[x](y)\n# z"), seed=0, subset=0))
    assert "- judge: \\<b\\>\\|\\[x\\](y) \\# z\n" in page
    assert "| kappa with people | 1.000 | none | 2 | 0 | no interval" in page


def test_agreement_of_people_counts_only_what_both_rated(tmp_path: Path) -> None:
    labels = [("1", "1")] * 20 + [("1", "0")] * 5 + [("0", "1")] * 10 + [("0", "0")] * 15 + [("1", "")]
    rows = [{**OWN, "id": f"r{i}", "annotator_ann": a, "annotator_bob": b} for i, (a, b) in enumerate(labels)]
    found = agreement(read_labels(write(tmp_path / "own.csv", rows), flag="unsafe"), seed=0)
    assert isinstance(found, Agreement) and found.kappa is not None
    assert found.kappa.value == pytest.approx(0.4) and (found.kappa.n, found.kappa.unscored) == (50, 1)
    assert (found.alpha.n, found.alpha.unscored) == (50, 1)
    assert found.confusion == {"both": 20, "first only": 5, "second only": 10, "neither": 15}
    assert "kappa, unsafe or not" in render_agreement(found) and "| kappa, unsafe" in agreement_markdown(found)


def test_one_annotator_agrees_with_nobody(tmp_path: Path) -> None:
    row = {name: cell for name, cell in OWN.items() if name != "annotator_bob"}
    assert agreement(read_labels(write(tmp_path / "own.csv", [row]), flag="unsafe"), seed=0) is None


def test_flips_are_counted_where_they_can_be_seen() -> None:
    repeats = [[True, True, False, None], [True, False, None, None], [True, None, False, None]]
    found = flip_rate(repeats, list("abcd"), seed=0)
    assert (found.value, found.n, found.unscored) == (0.5, 2, 2)  # a stays, b flips, c and d lack a repeat
    with pytest.raises(ValueError, match="two or more"):
        flip_rate(repeats[:1], list("abcd"), seed=0)


def test_a_paired_change_is_after_minus_before() -> None:
    found = paired_change([True, False, False, None], [True, True, None, True], list("abcd"), seed=0)
    assert (found.value, found.n, found.unscored) == (0.5, 2, 2)
    assert paired_change([None], [True], ["a"], seed=0).value is None
    still = paired_change([True, False], [True, False], ["a", "b"], seed=0)
    assert (still.value, still.low) == (0.0, None)
