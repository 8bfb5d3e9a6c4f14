"""Files of labels are read strictly: what does not fit is refused by file, row and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_files import MSTS, OWN, XSTEST, write

from srpo.calibrate import limited, read_labels
from srpo.errors import ConfigError, DataError


def test_xstest_labels_keep_their_classes_and_their_line_breaks(tmp_path: Path) -> None:
    rows = [XSTEST, {**XSTEST, "id": "v-2", "final_label": "3_partial_refusal", "gpt4_label": ""}]
    file = read_labels(write(tmp_path / "x.csv", rows), judge="gpt4_label")
    assert (file.form, file.flag, file.people, file.judge) == ("xstest", "declined", [False, True], [True, None])
    assert file.rows[0].response == XSTEST["completion"]
    assert file.rows[0].people == ("1_full_compliance", "1_full_compliance")
    assert file.clusters == ["v-1", "v-2"]


def test_msts_rows_of_a_case_are_one_cluster(tmp_path: Path) -> None:
    rows = [MSTS, {**MSTS, "model": "the other", "final_taxonomy": "2.Z - other (unsafe)"}]
    file = read_labels(write(tmp_path / "m.csv", rows))
    assert (file.form, file.flag, file.people) == ("msts", "unsafe", [False, True])
    assert file.clusters == ["case_0001", "case_0001"]
    assert file.rows[0].image == "unsafe_image_0001" and file.rows[0].id != file.rows[1].id


def test_own_labels_are_yes_or_no_in_several_words(tmp_path: Path) -> None:
    rows = [OWN, {**OWN, "id": "b", "label": "FALSE", "annotator_ann": "0", "annotator_bob": "True", "judge_x": " "}]
    file = read_labels(write(tmp_path / "o.csv", rows), flag="unsafe", judge="judge_x")
    assert (file.form, file.people, file.judge) == ("csv", [True, False], [False, None])
    assert file.annotators == ("annotator_ann", "annotator_bob")
    assert [row.people for row in file.rows] == [("yes", None), ("no", "yes")]
    assert file.clusters == ["a", "b"]


@pytest.mark.parametrize(
    ("base", "change", "named"),
    [
        (XSTEST, {"final_label": "2_Full_refusal"}, "row 2, column final_label: unknown label '2_Full_refusal'"),
        (XSTEST, {"annotation_1": "full compliance"}, "row 2, column annotation_1: unknown label"),
        (XSTEST, {"gpt4_label": "statement:"}, "row 2, column gpt4_label: unknown label 'statement:'"),
        (XSTEST, {"final_label": ""}, "row 2, column final_label: unknown label ''"),
        (XSTEST, {"id": "v-1"}, "row 2, column id: 'v-1' stands in row 1 already"),
        (XSTEST, {"id": ""}, "row 2, column id: is empty"),
        (MSTS, {"model": "b", "annot2_label": "safe."}, "row 2, column annot2_label: unknown label 'safe.'"),
        (OWN, {"id": "b", "label": "maybe"}, "row 2, column label: unknown label 'maybe'; known are 'no', 'yes'"),
    ],
)
def test_a_row_that_does_not_fit_is_named(
    tmp_path: Path, base: dict[str, str], change: dict[str, str], named: str
) -> None:
    path = write(
        tmp_path / "labels.csv", [base, {**base, "id": "v-2", **change}] if "id" in base else [base, base | change]
    )
    judge = "gpt4_label" if base is XSTEST else None
    with pytest.raises(DataError) as refused:
        read_labels(path, flag="unsafe" if base is OWN else None, judge=judge)
    assert str(path) in str(refused.value) and named in str(refused.value) and "\n" not in str(refused.value)


def test_unknown_columns_flags_and_cut_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [XSTEST])
    with pytest.raises(DataError, match="column 'gpt5_label' of form xstest is missing; the columns are id, type"):
        read_labels(path, judge="gpt5_label")
    with pytest.raises(DataError, match="column 'case_id' of form msts is missing"):
        read_labels(path, form="msts")
    with pytest.raises(DataError, match=r"columns a are those of no known form; needed are msts: case_id"):
        read_labels(write(tmp_path / "a.csv", [{"a": "1"}]))
    with pytest.raises(ConfigError, match="flag unsafe, but labels of form xstest are of one of declined"):
        read_labels(path, flag="unsafe")
    with pytest.raises(
        ConfigError, match="no flag, but labels of form csv are of one of unsafe, ineffective, declined"
    ):
        read_labels(write(tmp_path / "o.csv", [OWN]))
    path.write_text(path.read_text()[:-30] + '"', encoding="utf-8")
    with pytest.raises(DataError, match=str(path)):
        read_labels(path)


def test_a_limit_draws_the_same_rows_whatever_their_order(tmp_path: Path) -> None:
    rows = [{**XSTEST, "id": f"v-{i}"} for i in range(30)]
    file = read_labels(write(tmp_path / "x.csv", rows))
    ids = [row.id for row in limited(file, 10, seed=3).rows]
    assert ids == [row.id for row in limited(file, 10, seed=3).rows] and len(ids) == 10
    assert ids == [row.id for row in limited(read_labels(write(tmp_path / "y.csv", rows[::-1])), 10, seed=3).rows]
    more = limited(read_labels(write(tmp_path / "z.csv", [*rows, {**XSTEST, "id": "new"}])), 10, seed=3)
    assert len({row.id for row in more.rows} & set(ids)) >= 9
    assert ids != [row.id for row in limited(file, 10, seed=4).rows]
    assert limited(file, None, seed=3) == file


def test_a_judge_may_be_called_like_an_annotator(tmp_path: Path) -> None:
    rows = [{"id": "a", "label": "yes", "annotator-7b": "no"}]
    file = read_labels(write(tmp_path / "o.csv", rows), flag="unsafe", judge="annotator-7b")
    assert (file.annotators, file.judge) == ((), [False])
