"""The shortcut audit: planted shortcuts are found, their absence too, and bounds hold."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from srpo.errors import DataError
from srpo.progress import silent
from srpo.publish import classifiers
from srpo.publish.audit import BOUND, audit, balanced_accuracy, clusters_of
from srpo.publish.show import audit_lines
from srpo.records import file_sha256
from srpo.steps import join
from srpo.types import CELLS, Image, Provenance, Sample
from srpo.world.dataset import WorldSettings, build_samples

SETS = 24


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "_TREES", 30)


def world(folder: Path, sets: int = SETS) -> list[Sample]:
    settings = WorldSettings(seed=3, train=sets, test_scenes=0, test_combinations=0, test_rules=0)
    return list(build_samples(settings, folder))


def with_questions(samples: list[Sample], words: dict[str, str]) -> list[Sample]:
    """With words of their cell at the end of the request."""
    return [s.model_copy(update={"question": f"{s.question} {words.get(s.cell, '')}".strip()}) for s in samples]


def separable(folder: Path, sets: int = SETS) -> list[Sample]:
    """Sets in which the picture of the hazard is bright and its request says `now`: both are needed, and enough."""
    rng = random.Random(5)
    (folder / "images").mkdir(parents=True)
    samples = []
    for number in range(sets):
        for cell in CELLS:
            bright, now = cell in ("hazard", "benign_text"), cell in ("hazard", "benign_image")
            shade = (200 if bright else 40) + rng.randrange(20)
            path = folder / "images" / f"{number}-{bright}.png"
            if not path.exists():
                PILImage.new("RGB", (16, 16), (shade, number, shade)).save(path)
            samples.append(
                Sample(
                    id=f"{number}-{cell}",
                    split="train",
                    group=str(number),
                    cell=cell,
                    image=Image(path=f"images/{path.name}", sha256=file_sha256(path), width=16, height=16),
                    question=f"May I do it {'now' if now else 'later'}?",
                    category=None,
                    hypothesis=None,
                    reference=join(["a"] * 6 + ["Yes."]),
                    unsafe_reply=None,
                    licence="MIT",
                    provenance=Provenance(producer="procedural", source="test"),
                )
            )
    return samples


def test_balanced_accuracy_by_hand():
    labels = np.array([True, False, False, False] * 2)
    told = np.array([True, True, False, False, False, True, False, False])
    found = balanced_accuracy(labels, told, ["a"] * 4 + ["b"] * 4, seed=0)
    assert found.value == pytest.approx((1 / 2 + 4 / 6) / 2)
    # The sets reach 5/6 and 1/3, so that draws of two lie between these.
    assert (found.low, found.high) == (pytest.approx(1 / 3), pytest.approx(5 / 6))
    assert balanced_accuracy(np.array([True]), np.array([True]), ["a"], seed=0).value is None


def test_sets_that_share_a_picture_are_one_cluster(tmp_path):
    samples = world(tmp_path, 3)
    shared = samples[0].image
    samples[4] = samples[4].model_copy(update={"image": shared})
    names = clusters_of(samples)
    assert names[0] == names[7] != names[8]
    assert len(set(names)) == 2


def test_the_world_has_no_shortcut_by_one_modality(tmp_path):
    found = audit(world(tmp_path, 60), tmp_path, 0, silent)
    assert (found.sets, found.complete_sets, found.clusters, found.note) == (60, 60, 60, "")
    for name in ("first_word", "length", "text", "image"):
        metric = found.views[name]
        assert metric.n == 240
        assert metric.low < metric.value < metric.high
        assert metric.low < 0.6
    assert found.openings[0].words == "please do not"
    assert (found.openings[0].hazard, found.openings[0].benign) == (60, 0)


def test_planted_shortcuts_are_found(tmp_path):
    samples = world(tmp_path)
    word = audit(with_questions(samples, {"hazard": "dangerous"}), tmp_path, 0, silent)
    assert word.views["text"].value > BOUND
    assert {shortcut.view for shortcut in word.shortcuts[:10]} == {"text"}
    assert all(shortcut.probability > 0.6 for shortcut in word.shortcuts[:10])
    assert word.views["image"].value < 0.7
    longer = audit(with_questions(samples, {"hazard": "please " * 9}), tmp_path, 0, silent)
    assert longer.views["length"].value > 0.95
    first = [s.model_copy(update={"question": f"Hm, {s.question}"}) if s.cell == "hazard" else s for s in samples]
    assert audit(first, tmp_path, 0, silent).views["first_word"].value > 0.95


def test_one_modality_cannot_pass_the_bound_and_a_sum_can(tmp_path):
    found = audit(separable(tmp_path), tmp_path, 0, silent)
    assert found.views["text"].value == pytest.approx(BOUND)
    assert found.views["image"].value == pytest.approx(BOUND)
    assert found.views["late_fusion"].value == 1.0


def test_a_planted_picture_is_found(tmp_path):
    samples = separable(tmp_path)
    tinted = tmp_path / "images" / "tinted.png"
    PILImage.new("RGB", (16, 16), (255, 0, 0)).save(tinted)
    image = Image(path="images/tinted.png", sha256="0" * 64, width=16, height=16)
    # Each has a hash of its own: the same picture everywhere would make one cluster of all sets.
    marked = [
        s.model_copy(update={"image": image.model_copy(update={"sha256": f"{i:064d}"})}) if s.cell == "hazard" else s
        for i, s in enumerate(samples)
    ]
    found = audit(marked, tmp_path, 0, silent)
    assert found.views["image"].value == 1.0
    pictures = [shortcut.probability for shortcut in found.shortcuts if shortcut.view == "image"]
    assert len(pictures) == 10
    assert pictures == sorted(pictures, reverse=True)
    assert pictures[0] > 0.95


def test_the_order_does_not_matter_and_the_seed_does(tmp_path):
    samples = world(tmp_path)
    shuffled = random.Random(1).sample(samples, len(samples))
    first = audit(samples, tmp_path, 0, silent)
    assert audit(shuffled, tmp_path, 0, silent) == first
    assert audit(samples, tmp_path, 1, silent).views != first.views


def test_too_few_sets_give_no_figure_and_say_so(tmp_path):
    found = audit(world(tmp_path, 5), tmp_path, 0, silent)
    assert all(metric.value is None and metric.unscored == 20 for metric in found.views.values())
    assert found.shortcuts == ()
    assert found.note in list(audit_lines(found))
    assert "hazards are in 5" in found.note
    assert "at least 20" in found.note


def test_a_broken_picture_is_named(tmp_path):
    samples = world(tmp_path)
    (tmp_path / samples[0].image.path).write_bytes(b"no picture")
    with pytest.raises(DataError, match=f"{samples[0].image.path}: not a readable picture"):
        audit(samples, tmp_path, 0, silent)


def test_requests_without_words_and_hostile_ones_are_only_text(tmp_path):
    samples = world(tmp_path)
    texts = ["???", "\u202e", "<script>", "a" * 50_000, "{}%s", "\u00a0"]
    hostile = [s.model_copy(update={"question": texts[i % len(texts)]}) for i, s in enumerate(samples)]
    assert audit(hostile, tmp_path, 0, silent).views["text"].n == len(samples)
