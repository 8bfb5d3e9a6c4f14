"""Texts of several formats to steps and an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpo.formats import PathFormat, lead, named_steps, read_path, readable_steps
from srpo.steps import MARKERS, answer, body, join

FORMATS: tuple[PathFormat, ...] = ("six_steps", "think", "list", "paragraphs", "auto")
MARKS = [
    "<think>",
    "</think>",
    "1. ",
    "- ",
    "Answer:",
    "**Final answer:**",
    "\n",
    "\n\n",
    " ",
    "\r\n",
    *MARKERS.values(),
]
PIECES = st.one_of(st.text(max_size=20), st.sampled_from(MARKS))
SIX = join(list("abcdefg")).text


def read(text: str, path_format: PathFormat) -> tuple[list[str], str | None]:
    path = read_path(text, path_format)
    assert path.text == text
    return [body(step) for step in named_steps(path)], answer(path)


@given(st.lists(PIECES, max_size=20).map("".join), st.sampled_from(FORMATS))
def test_reading_is_lossless_and_names_are_in_order(text: str, path_format: PathFormat):
    path = read_path(text, path_format)
    assert path.text == text
    names = [step.name for step in named_steps(path)]
    assert path_format in ("six_steps", "auto") or names == [f"step_{i}" for i in range(1, len(names) + 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\na\n\nb\n</think>\n\nyes", (["a", "b"], "yes")),
        ("  \n<think>a</think>yes", (["a"], "yes")),
        ("a\n\nb</think>yes", (["a", "b"], "yes")),
        ("<think></think>yes", ([], "yes")),
        ("<think> \n\n </think>yes", ([], "yes")),
        ("<think>a\n\nb", (["a", "b"], None)),
        ("<think>a</think>", (["a"], None)),
        ("<think>a</think> \n", (["a"], None)),
        ("yes", ([], None)),
        ("first <think>a</think>yes", ([], None)),
        ("<think>a<think>b</think>yes", ([], None)),
        ("<think>a</think>b</think>yes", ([], None)),
        ("<think>a</think><think>b</think>yes", ([], None)),
        ("a</think>b<think>c", ([], None)),
        ("<THINK>a</THINK>yes", ([], None)),
    ],
)
def test_think(text: str, expected: tuple[list[str], str | None]):
    assert read(text, "think") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. a\n2. b\nAnswer: yes", (["1. a", "2. b"], "yes")),
        (
            "Let me see.\n1) a\n2) b\n\n**Final Answer:** yes\nand more",
            (["Let me see.\n1) a", "2) b"], "yes\nand more"),
        ),
        ("Step 1: a\nStep 2: b\n\nyes", (["Step 1: a", "Step 2: b"], "yes")),
        ("- a\n  - a2\n- b\n\nyes", (["- a\n  - a2", "- b"], "yes")),
        ("1. a\n- a2\n2. b\n\nyes", (["1. a\n- a2", "2. b"], "yes")),
        ("**1.** a\n**2.** b\n\nyes", (["**1.** a", "**2.** b"], "yes")),
        ("1. a\n\n2. b", (["1. a", "2. b"], None)),
        ("1. a\n2. b\n\n   b2", (["1. a", "2. b\n\n   b2"], None)),
        ("1. a\nAnswer:", (["1. a"], None)),
        ("1. a\nAnswer: yes\nAnswer: no", (["1. a"], None)),
        ("Answer: yes\n1. a", ([], None)),
        ("1.a and -b\nyes", ([], None)),
        ("", ([], None)),
    ],
)
def test_list(text: str, expected: tuple[list[str], str | None]):
    assert read(text, "list") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\na2\n\nb\n \nyes", (["a\na2", "b"], "yes")),
        ("a\n\nb\n\nAnswer: yes\n\nand more", (["a", "b"], "yes\n\nand more")),
        ("a\r\n\r\nyes\r\n\r\n", (["a"], "yes")),
        ("The answer: a.\n\nyes", (["The answer: a."], "yes")),
        ("yes", ([], "yes")),
        ("Answer: yes", ([], "yes")),
        ("a\nanswer: yes\nfinal answer: no", (["a"], None)),
        (" \n\n ", ([], None)),
    ],
)
def test_paragraphs(text: str, expected: tuple[list[str], str | None]):
    assert read(text, "paragraphs") == expected


@pytest.mark.parametrize(
    ("text", "like"),
    [
        (SIX, "six_steps"),
        (SIX.partition("Final answer:")[0], "six_steps"),
        ("<think>1. a\n2. b</think>yes", "think"),
        ("<think>a\n\nb\n\nc", "think"),
        ("1. a\n2. b\n\nyes", "list"),
        ("1. a\n\nyes", "paragraphs"),
        ("a\n\nyes", "paragraphs"),
        ("Final answer: yes", "paragraphs"),
    ],
)
def test_auto_takes_the_first_format_whose_marks_are_there(text: str, like: PathFormat):
    assert read_path(text, "auto") == read_path(text, like)


def test_what_is_cut_before_its_answer_never_has_its_last_step_as_answer():
    assert answer(read_path(SIX.partition("Final answer:")[0], "auto")) is None
    assert answer(read_path("<think>Is it wet?\n\nYes.", "auto")) is None


def test_readable_steps():
    assert readable_steps(read_path(SIX, "six_steps")) and readable_steps(read_path("1. a\n\nyes", "list"))
    assert not readable_steps(read_path("yes", "paragraphs")) and not readable_steps(read_path("yes", "six_steps"))
    steps = [step.text for step in read_path(SIX, "six_steps").steps]
    for wrong in (steps[1:], steps[::-1], [*steps[:2], MARKERS["synthesis"], *steps[3:]]):
        assert not readable_steps(read_path("".join(wrong), "six_steps"))


def test_words_before_the_first_step():
    assert lead(read_path(f"Well, {SIX}\n{SIX}", "six_steps")).startswith("Well, Step 1")
    assert lead(read_path(SIX, "six_steps")) == lead(read_path("<think>a</think>b", "think")) == ""
    assert lead(read_path("", "six_steps")) == ""
