"""What reviews come to, worked out by hand."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from review_rows import picture, sample

from srpo.data.settle import apply_edit, edit_problem, rule, sample_sha256, settle
from srpo.errors import DataError
from srpo.steps import body, split, well_formed
from srpo.types import CELLS, Image, ReasoningPath, Sample, Step
from srpo.types.data import Edit, Review

IMAGE = Image(path="images/kitchen.png", sha256="0" * 64, width=96, height=64)
_IDS = count()


def review(of: Sample, reviewer: str, decision: str, **more: object) -> Review:
    fields = {"id": f"r{next(_IDS)}", "sample": of.id, "sample_sha256": sample_sha256(of), "reviewer": reviewer}
    given = {**fields, "decision": decision, "blind": True, "time": "2026-01-01T00:00:00Z", **more}
    return Review.model_validate(given)


def one_set(group: str = "s0") -> list[Sample]:
    return [sample(IMAGE, group, cell) for cell in CELLS]


def all_kept(samples: list[Sample], reviewer: str = "Ada") -> list[Review]:
    return [review(one, reviewer, "keep") for one in samples]


def test_without_reviews_nothing_is_decided() -> None:
    samples = one_set()
    found = settle(samples, [])
    assert (found.kept, found.dropped) == ((), {})
    assert found.undecided == tuple(one.id for one in samples) and found.disagreements == ()


def test_one_reviewer_decides_and_a_dropped_cell_takes_its_set_along() -> None:
    first, second = one_set("a"), one_set("b")
    reviews = [*all_kept(first), *all_kept(second[:3]), review(second[3], "Ada", "drop")]
    found = settle([*first, *second], reviews)
    assert [one.id for one in found.kept] == [one.id for one in first]
    assert found.dropped == {
        "b-hazard": "set",
        "b-benign_image": "set",
        "b-benign_text": "set",
        "b-benign_both": "review",
    }
    assert found.undecided == ()


@pytest.mark.parametrize(
    ("decisions", "outcome"),
    [
        (("keep", "keep"), "keep"),
        (("drop", "drop"), "drop"),
        (("keep", "drop"), "disagreement"),
        (("keep", "keep", "drop"), "disagreement"),
        ((), "open"),
    ],
)
def test_reviewers_must_agree(decisions: tuple[str, ...], outcome: str) -> None:
    one = sample(IMAGE)
    assert rule(review(one, f"p{n}", decision) for n, decision in enumerate(decisions)).outcome == outcome


def test_edits_must_be_the_same_and_keep_goes_with_any() -> None:
    one, edit, other = sample(IMAGE), Edit(question="How do I climb down?"), Edit(question="How do I get up?")
    edited = review(one, "Ada", "edit", edit=edit)
    assert rule([edited, review(one, "Bob", "keep")]) == ("keep", edit, False)
    assert rule([edited, review(one, "Bob", "edit", edit=edit)]).outcome == "keep"
    assert rule([edited, review(one, "Bob", "edit", edit=other)]) == ("disagreement", None, False)
    assert rule([edited, review(one, "Bob", "drop")]).outcome == "disagreement"


def test_the_adjudicator_wins_over_any_votes() -> None:
    samples = one_set()
    votes = [*all_kept(samples), *all_kept(samples, "Bob")]
    found = settle(samples, [*votes, review(samples[1], "Eve", "drop", role="adjudicator")])
    assert found.dropped["s0-benign_image"] == "adjudicator" and found.dropped["s0-hazard"] == "set"
    settled = [review(samples[0], "Ada", "drop"), review(samples[0], "Eve", "keep", role="adjudicator")]
    assert [one.id for one in settle(samples[:1], settled).kept] == ["s0-hazard"]


def test_the_last_review_of_a_person_counts_and_withdrawn_ones_do_not() -> None:
    one = sample(IMAGE)
    first, last = review(one, "Ada", "drop"), review(one, "Ada", "keep")
    assert rule([first, last]).outcome == "keep"
    assert rule([first, last.model_copy(update={"withdrawn": True})]).outcome == "drop"
    assert rule([first.model_copy(update={"withdrawn": True})]).outcome == "open"
    # A role of its own: what Eve says as adjudicator does not replace her vote, nor does her vote that.
    ruled = review(one, "Eve", "keep", role="adjudicator")
    assert rule([first, ruled]) == ("keep", None, True)


def test_nobody_settles_their_own_disagreement() -> None:
    one = sample(IMAGE)
    votes = [review(one, "Ada", "keep"), review(one, "Bob", "drop")]
    own, other = (review(one, who, "keep", role="adjudicator") for who in ("Ada", "Eve"))
    assert rule([*votes, own]).outcome == "disagreement" and rule([*votes, other]).adjudicated
    found = settle([one], [*votes, own])
    assert found.disagreements == (one.id,) and found.unused == ((own, "own_vote"),)
    withdrawn = votes[0].model_copy(update={"withdrawn": True})
    assert rule([withdrawn, votes[1], own]) == ("keep", None, True)


def test_an_item_is_open_until_as_many_reviewers_as_planned_have_voted() -> None:
    one = sample(IMAGE)
    first, again, second = (review(one, who, "drop", planned=2) for who in ("Ada", "Ada", "Bob"))
    assert rule([first]).outcome == "open" and rule([first, again]).outcome == "open"
    assert rule([first, second]).outcome == "drop"
    assert rule([first, review(one, "Eve", "keep", role="adjudicator", planned=2)]) == ("keep", None, True)
    three = [review(one, "Ada", "keep", planned=3), review(one, "Bob", "drop", planned=3)]
    assert rule(three).outcome == "disagreement"  # which nobody else's vote can mend
    found = settle(one_set(), [review(cell, "Ada", "keep", planned=2) for cell in one_set()])
    assert found.kept == () and len(found.undecided) == 4 and found.disagreements == ()


def test_a_request_that_was_edited_in_one_of_two_cells_takes_its_set_along() -> None:
    shared = {"hazard": "How do I climb this?", "benign_image": " How do I climb this? "}

    def cells(group: str) -> list[Sample]:
        asked = [one.model_copy(update={"question": shared.get(one.cell, "What is this?")}) for one in one_set(group)]
        return asked

    def edited(group: str, *names: str) -> list[Review]:
        edit = Edit(question="How do I climb down from this?")
        return [
            review(one, "Ada", "edit", edit=edit) if one.cell in names else review(one, "Ada", "keep")
            for one in cells(group)
        ]

    samples = [*cells("a"), *cells("b"), *cells("c")]
    reviews = [*edited("a", "hazard"), *edited("b", "hazard", "benign_image"), *edited("c", "benign_both")]
    found = settle(samples, reviews)
    assert found.split == ("a", "c") and {one.group for one in found.kept} == {"b"} and len(found.kept) == 4
    assert set(found.dropped.values()) == {"edit_split"} and len(found.dropped) == 8
    # While the other cell is open, the set waits for it.
    waiting = settle(cells("a"), edited("a", "hazard")[:1])
    assert waiting.split == () and len(waiting.undecided) == 3


def test_a_review_of_other_words_or_of_nothing_is_not_used() -> None:
    one = sample(IMAGE)
    old = review(one.model_copy(update={"question": "Another one?"}), "Ada", "drop")
    unknown = review(sample(IMAGE, "gone"), "Ada", "drop")
    found = settle([one], [old, unknown])
    assert found.undecided == ("s0-hazard",) and found.dropped == {}
    assert [(unused.review, unused.reason) for unused in found.unused] == [(old, "changed"), (unknown, "unknown")]


def test_an_edited_sample_has_the_new_words_a_new_id_and_its_old_one_as_parent() -> None:
    one = sample(IMAGE, paraphrases=("Up the ladder, how?",))
    edit = Edit(
        question="How do I climb safely?", category="violence", steps={"visual": " A ladder. ", "answer": "No."}
    )
    kept = settle([one], [review(one, "Ada", "edit", edit=edit)])
    (now,) = kept.kept
    assert (now.question, now.category, now.paraphrases) == ("How do I climb safely?", "violence", ())
    assert well_formed(now.reference) and split(now.reference.text) == now.reference
    bodies = {step.name: body(step) for step in now.reference.steps}
    assert (bodies["visual"], bodies["answer"]) == ("A ladder.", "No.")
    assert bodies["request"] == body(one.reference.steps[1])
    assert kept.edited == {one.id: now.id} and now.id != one.id
    assert now.provenance.parents == (one.id,) and one.provenance.parents == ()
    assert (now.group, now.image, now.unsafe_reply) == (one.group, one.image, one.unsafe_reply)
    assert apply_edit(one, edit).id == now.id  # the same edit, the same id


def test_an_edit_without_steps_leaves_every_character_of_the_path() -> None:
    path = ReasoningPath(
        steps=tuple(Step(name=step.name, text=step.text + "\n") for step in sample(IMAGE).reference.steps)
    )
    one = sample(IMAGE, reference=path)
    assert apply_edit(one, Edit(question="Other words?")).reference == path


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit(), "changes nothing"),
        (Edit(question="  "), "empty"),
        (Edit(steps={"visual": ""}), "empty"),
        (Edit(steps={"vision": "x"}), "names the step 'vision'"),
        (Edit(category="nonsense"), "names the category"),
        (Edit(steps={"visual": "A ladder.\nStep 2 - Textual request: none"}), "holds the marker of a step"),
        (Edit(question="<|im_start|>system"), "holds a token of a chat template"),
        (Edit(steps={"answer": "See <image>."}), "holds markup"),
        (Edit(question="a\x00b"), "holds a control character"),
        (Edit(question="a\u202eb"), "holds a control character"),
        (Edit(steps={"visual": "A ladder.\U000e0041"}), "holds a control character"),
        (Edit(steps={"visual": "x" * 30_000}), "more than 20,000 characters"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit, words: str) -> None:
    one = sample(IMAGE)
    assert words in (edit_problem(one, edit) or "")
    with pytest.raises(DataError, match="sample 's0-hazard': the edit"):
        apply_edit(one, edit)


def test_benign_cells_get_no_category_and_broken_paths_must_be_mended_whole() -> None:
    assert "only `hazard` has one" in (
        edit_problem(sample(IMAGE, "s0", "benign_both"), Edit(category="violence")) or ""
    )
    torn = sample(IMAGE, reference=ReasoningPath(steps=sample(IMAGE).reference.steps[1:]))
    assert "not six steps" in (edit_problem(torn, Edit(steps={"request": "x"})) or "")
    assert edit_problem(torn, Edit(steps={"visual": "A ladder."})) is None


def test_the_hash_changes_with_every_word_and_not_with_the_split(tmp_path: Path) -> None:
    one = sample(picture(tmp_path))
    other = one.model_copy(update={"hypothesis": "Something else."})
    assert sample_sha256(one) != sample_sha256(other) and len(sample_sha256(one)) == 64
    moved = one.model_copy(update={"split": "test"})
    found = settle([moved], [review(one, "Ada", "keep")])
    assert found.kept == (moved,) and found.unused == ()
