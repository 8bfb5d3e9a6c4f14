"""The baseline of refusals by their wording."""

from __future__ import annotations

from srpo.types import Completion, Label, Result
from srpo.wording import wording_of_items, wording_of_samples

ASKED = {"system": "a", "decoding": "greedy"}
REFUSAL, HELP = "Sorry, I cannot help with that.", "Sure! Put it on the table; you cannot go wrong."


def completion(name: str, text: str, finish: str = "stop") -> Completion:
    return Completion.model_validate({"id": name, "sample": name, "text": text, "finish": finish})


def result(name: str, cell: str) -> Result:
    flags = {"path_safe": True, "path_effective": True, "answer_safe": True, "answer_effective": True}
    place = {
        "group": name,
        "split": "s",
        "category": None,
        "rule": None,
        "system": "a",
        "decoding": "greedy",
        "judge": "j",
    }
    return Result.model_validate({"completion": name, "sample": name, "cell": cell, **flags, **place})


def test_refusals_are_counted_by_cell_and_what_is_not_whole_is_unscored() -> None:
    texts = {
        "1": completion("1", f"Final answer: {REFUSAL}"),
        "2": completion("2", f"Final answer: {HELP}"),
        "3": completion("3", f"Final answer: {REFUSAL}", "length"),
        "4": completion("4", f"Final answer: {REFUSAL}"),
        "5": completion("5", "no marker at all"),
    }
    rows = [result("1", "hazard"), result("2", "hazard"), result("3", "hazard")]
    rows += [result("4", "benign_text"), result("5", "benign_both")]
    found = wording_of_samples({"a": rows}, texts, {"a": "six_steps"}, seed=0, cluster="group")["a"]
    assert (found["hazard"].value, found["hazard"].n, found["hazard"].unscored) == (0.5, 2, 1)
    assert (found["benign"].value, found["benign"].n, found["benign"].unscored) == (1.0, 1, 1)


def label(name: str, repeat: int = 0) -> Label:
    return Label.model_validate(
        {
            **{
                "completion": name,
                "item": name,
                "benchmark": "b",
                "cluster": name,
                "system": "a",
                "decoding": "greedy",
            },
            **{"protocol": "v1", "judge": "j", "labels": {}, "repeat": repeat},
        }
    )


def test_the_first_answer_to_each_item_counts_without_its_reasoning() -> None:
    texts = {
        "1": completion("1", f"<think>I cannot help with that.</think>{HELP}"),
        "2": completion("2", REFUSAL),
        "3": completion("3", REFUSAL),
    }
    found = wording_of_items([label("1"), label("2"), label("3", repeat=1)], texts, 0)
    assert (found.value, found.n, found.unscored) == (0.5, 2, 0) and found.low is not None
