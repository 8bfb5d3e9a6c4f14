from __future__ import annotations

import io
import random
from collections import Counter

import pytest
from PIL import Image as Picture
from report_rows import completion, example, minimal_set, png, result, sample

from srpo.report import change_of, choose_examples, load_images
from srpo.report.examples import png_of, set_change
from srpo.report.views import kind_of, output_of, sets_of
from srpo.types import StepVerdict

KINDS = {"fixed": (False, True), "broken": (True, False), "wrong": (False, False), "right": (True, True)}


def rows(counts: dict[str, int], splits: tuple[str, ...] = ("rules",)):
    """Samples, completions and results of whole sets: so many of each kind."""
    samples, completions, results = [], [], []
    for kind, count in counts.items():
        for number in range(count):
            for one in minimal_set(f"{kind}{number}", *KINDS[kind], split=splits[number % len(splits)]):
                samples.append(one.sample)
                completions += [output.completion for output in one.outputs]
                results += [output.result for output in one.outputs]
    return samples, completions, results


def test_choice_takes_whole_sets_up_to_the_limit():
    chosen = choose_examples(*rows({"fixed": 5, "right": 5}), limit=14, seed=1)
    sizes = Counter(one.sample.group for one in chosen)
    assert len(chosen) == 12 and set(sizes.values()) == {4}


def test_choice_is_balanced_over_kinds_of_change_however_rare():
    chosen = choose_examples(*rows({"fixed": 20, "right": 60, "broken": 1, "wrong": 3}), limit=32, seed=1)
    kinds = Counter(group.rstrip("0123456789") for group in {one.sample.group for one in chosen})
    assert kinds == {"fixed": 3, "wrong": 2, "right": 2, "broken": 1}


def test_choice_is_balanced_over_splits():
    chosen = choose_examples(*rows({"fixed": 12, "right": 12}, ("a", "b", "c")), limit=24, seed=1)
    assert Counter(one.sample.split for one in chosen) == {"a": 8, "b": 8, "c": 8}


def test_choice_depends_on_the_seed_and_not_on_the_order_of_the_samples():
    samples, completions, results = rows({"fixed": 9, "right": 9})
    chosen = choose_examples(samples, completions, results, 16, 3)
    random.Random(0).shuffle(samples)
    assert choose_examples(samples, completions, results, 16, 3) == chosen
    assert any(choose_examples(samples, completions, results, 16, seed) != chosen for seed in range(4, 8))


def test_base_comes_first_unless_told_otherwise():
    samples, completions, results = rows({"fixed": 1})
    backwards = list(reversed(results))
    assert [o.system for o in choose_examples(samples, completions, backwards, 4, 0)[0].outputs] == ["base", "srpo"]
    turned = choose_examples(samples, completions, results, 4, 0, systems=("srpo", "base"))
    assert [o.system for o in turned[0].outputs] == ["srpo", "base"]


def test_greedy_outputs_are_shown_where_there_are_any():
    of = sample()
    both = [completion(of, "base", decoding=decoding) for decoding in ("sampled", "greedy")]
    (chosen,) = choose_examples([of], both, [result(one, of) for one in both], 4, 0)
    assert [output.result.decoding for output in chosen.outputs] == ["greedy"]


def test_probes_and_further_draws_are_no_examples():
    of = sample()
    plain = completion(of, "base")
    others = [
        plain.model_copy(update={"id": f"p{n}", "probe": "blank"} if n else {"id": "r", "repeat": 1}) for n in (0, 1)
    ]
    results = [result(o, of, probe=o.probe, repeat=o.repeat) for o in (*others, plain)]
    (chosen,) = choose_examples([of], [*others, plain], results, 4, 0)
    assert [output.completion.id for output in chosen.outputs] == [plain.id]


def test_samples_without_results_are_left_out():
    of = sample()
    assert choose_examples([of], [completion(of, "base")], [], 4, 0) == ()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (False, True, "fixed"),
        (True, False, "broken"),
        (False, False, "still wrong"),
        (True, True, "still right"),
        (None, True, "not scored"),
        (False, None, "not scored"),
    ],
)
def test_change_has_a_third_state(before, after, change):
    assert change_of(example(before, after)) == change


def test_declining_a_harmless_request_is_wrong_and_warning_of_a_hazard_is_not():
    for cell, right in (("benign_text", False), ("hazard", True)):
        one = example(True, True, sample(cell=cell))
        last = one.outputs[-1].model_copy(
            update={"result": one.outputs[-1].result.model_copy(update={"declined": True})}
        )
        change = change_of(one.model_copy(update={"outputs": (one.outputs[0], last)}))
        assert change == ("still right" if right else "broken")


def test_one_system_alone_is_right_or_wrong_and_nothing_else():
    for right in (True, False):
        one = example(right, True)
        expected = "still right" if right else "still wrong"
        assert change_of(one.model_copy(update={"outputs": one.outputs[:1]})) == expected
    assert change_of(one.model_copy(update={"outputs": ()})) == "not scored"


def test_a_broken_item_is_not_hidden_by_fixed_ones():
    assert set_change([example(False, True), example(True, False), example(None, True)]) == "broken"


@pytest.mark.parametrize(
    ("safe", "effective", "kind"),
    [
        (True, True, "good"),
        (True, False, "ineffective"),
        (False, True, "unsafe"),
        (False, None, "unsafe"),
        (True, None, "unjudged"),
        (None, False, "unjudged"),
        (None, None, "unjudged"),
    ],
)
def test_unsafe_outweighs_all_and_unknown_is_not_good(safe, effective, kind):
    assert kind_of(safe, effective) == kind


def test_sets_keep_their_cells_together_in_the_order_of_the_cells():
    members = minimal_set("g1", False, True) + minimal_set("g2", True, True)
    (first, second) = sets_of(list(reversed(members)))
    assert (first.group, second.group) == ("g2", "g1") and second.category == "violence"
    assert [cell.cell for cell in second.cells] == ["hazard", "benign_image", "benign_text", "benign_both"]
    assert [cell.change for cell in second.cells] == ["fixed", "still right", "still right", "still right"]


def test_a_step_written_twice_is_judged_once():
    text = "Step 1 - Visual context: a\nStep 1 - Visual context: b\nFinal answer: c"
    view = output_of(example(True, True, text=text).outputs[0])
    assert [(s.text, s.kind) for s in view.steps[:2]] == [("a", "good"), ("b", "unjudged")]
    assert view.reply.text == "c"


def test_reasoning_in_another_format_is_shown_by_its_own_steps():
    output = example(True, True, text="<think>\nOne.\n\nTwo.\n</think>\nThe reply.").outputs[0]
    verdicts = (StepVerdict(name="step_2", safe=False, effective=None, names_risk=True),)
    judged = output.result.model_copy(update={"steps": verdicts})
    view = output_of(output.model_copy(update={"result": judged, "path_format": "think"}))
    assert [(s.title, s.text, s.kind) for s in view.steps] == [
        ("Step 1", "One.", "unjudged"),
        ("Step 2", "Two.", "unsafe"),
    ]
    assert view.reply.text == "The reply." and view.steps[1].names_risk


def test_a_text_of_many_steps_does_not_fill_the_page():
    view = output_of(example(True, True, text="Step 1 - Visual context: a\n" * 5000).outputs[0])
    shown = [step for step in view.steps if step.text == "a"]
    assert len(shown) == 100 and "(4900 more steps)" in [step.text for step in view.steps] and len(view.steps) < 110


def test_a_failed_completion_says_so():
    output = example(True, None).outputs[1]
    failed = output.completion.model_copy(update={"finish": "error", "error": "out of memory", "text": ""})
    view = output_of(output.model_copy(update={"completion": failed}))
    assert view.reply.text == "(no reply)" and "The model failed: out of memory." in view.notes


def test_pictures_are_read_from_the_folder_and_shrunk(tmp_path):
    (tmp_path / "picture.png").write_bytes(png((2000, 1000)))
    (loaded,) = load_images([example(True, True)], tmp_path)
    with Picture.open(io.BytesIO(loaded.image_png)) as picture:
        assert picture.format == "PNG" and picture.size == (384, 192)


@pytest.mark.parametrize("content", [None, b"", b"not a picture", png()[:40]])
def test_an_unreadable_picture_is_none_and_no_error(tmp_path, content):
    if content is not None:
        (tmp_path / "x.png").write_bytes(content)
    assert png_of(tmp_path / "x.png") is None


def test_examples_survive_json():
    one = example(True, False)
    assert type(one).model_validate_json(one.model_dump_json()) == one
