"""Text to steps and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpo.steps import MARKERS, SEGMENT_NAMES, answer, body, join, prefixes, split, well_formed

PIECES = st.one_of(st.text(max_size=20), st.sampled_from([*MARKERS.values(), "\n", " ", "Step 7 - More:"]))


@given(st.lists(PIECES, max_size=20).map("".join))
def test_split_is_lossless(text: str):
    assert split(text).text == text


def test_join_and_split_agree():
    path = join([f"words {i}" for i in range(7)])
    assert split(path.text) == path
    assert [step.name for step in path.steps] == list(SEGMENT_NAMES)
    assert [body(step) for step in path.steps] == [f"words {i}" for i in range(7)]
    assert well_formed(path) and answer(path) == "words 6"


def test_join_refuses_a_body_that_opens_another_step():
    with pytest.raises(ValueError, match="marker"):
        join(["a", "b\nFinal answer: c", "d", "e", "f", "g", "h"])
    with pytest.raises(ValueError, match="7"):
        join(["a"])


def test_a_marker_counts_only_at_the_start_of_a_line():
    assert answer(split("as said, Final answer: no")) is None
    assert answer(split("x\nFinal answer: yes ")) == "yes"


@pytest.mark.parametrize("missing", range(7))
def test_a_path_without_one_segment_is_not_well_formed(missing: int):
    steps = join(list("abcdefg")).steps
    assert not well_formed(split("".join(s.text for i, s in enumerate(steps) if i != missing)))


def test_an_empty_step_is_not_well_formed():
    assert not well_formed(split(join(["a", " ", "c", "d", "e", "f", "g"]).text))


def test_prefixes_grow_by_one_step():
    path = join(list("abcdefg"))
    found = prefixes(path)
    assert [len(prefix) for prefix in found] == list(range(7))
    assert all("".join(prefix) + "".join(s.text for s in path.steps[len(prefix) :]) == path.text for prefix in found)
