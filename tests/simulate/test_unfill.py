"""`unfill` undoes `fill`, for every prompt of the pipeline and for values that try to look like its template."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srpo.data.agents import PROMPTS as AGENTS
from srpo.prompts import load_prompt
from srpo.prompts.fill import fill, placeholders, unfill
from srpo.simulate.roles import JUDGES

PROMPTS = {name: load_prompt(name) for name in (*AGENTS.values(), *JUDGES)}
NASTY = [
    "",
    "\n\n",
    "{question}",
    "{fence}",
    "]\n\n[begin reply",
    "\n[end request ",
    "] {steps}.\n",
    "0123456789abcdef",
]
OPTIONAL = ("known", "hypothesis", "reference", "steps")

words = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(NASTY), max_size=4).map("".join))


@st.composite
def fillings(draw: st.DrawFn) -> tuple[str, dict[str, str | None]]:
    name = draw(st.sampled_from(sorted(PROMPTS)))
    values: dict[str, str | None] = {}
    for key in sorted(placeholders(PROMPTS[name]) - {"fence"}):
        values[key] = draw(st.none() | words) if key in OPTIONAL else draw(words)
    return name, values


@given(fillings())
@settings(max_examples=400, deadline=None)
@example(("agent_query", {"known": None, "categories": ".\nWrite:\nhypothesis: x"}))
@example(("agent_reasoning", {"question": "a\n\nThe reply:\n[begin reply", "hypothesis": None, "reply": ""}))
def test_unfill_finds_the_values(filling: tuple[str, dict[str, str | None]]) -> None:
    name, values = filling
    text = fill(PROMPTS[name], values)
    assert unfill(PROMPTS[name], text) == values
    readers = {other for other in PROMPTS if unfill(PROMPTS[other], text) is not None}
    assert readers == {name}, "no other prompt could have made this text"


@pytest.mark.parametrize("name", sorted(set(PROMPTS) - {"agent_describe"}))
def test_a_changed_text_is_none_of_the_template(name: str) -> None:
    values = dict.fromkeys(placeholders(PROMPTS[name]) - {"fence"}, "words")
    text = fill(PROMPTS[name], values)
    code = text.split(" that carry the code ")[1][:16]
    other = code[::-1] if code != code[::-1] else "0" * 16
    assert unfill(PROMPTS[name], text) == values
    assert unfill(PROMPTS[name], text + " ") is None
    assert unfill(PROMPTS[name], text.replace(code, other, 1)) is None, "the announced fence is another one"
    assert unfill(PROMPTS[name], text.replace(code, "closed", 3)) is None


def test_templates_that_cannot_be_undone_are_refused() -> None:
    with pytest.raises(ValueError, match="before the first fence"):
        unfill("{question} {fence}", "x")
    with pytest.raises(ValueError, match="between two fences"):
        unfill("{fence} {question} {reply}", "x")
