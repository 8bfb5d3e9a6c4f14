"""Probes of the request: what changes, what stays, and that draws are stable."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from srpo.errors import DataError
from srpo.models.base import Message
from srpo.models.chat import render_messages
from srpo.probes import PATH_PROBES, PICTURE_PROBES, REQUEST_PROBES, probe_messages
from srpo.probes.pictures import GRID, blank, shuffled, store
from srpo.records import file_sha256
from srpo.steps import join
from srpo.types import Image, Probe, Provenance, Sample


def picture(path: Path, size: tuple[int, int], seed: int) -> Image:
    """Noise, so that every pixel can be followed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    PILImage.fromarray(pixels).save(path)
    return Image(path=path.name, sha256=file_sha256(path), width=size[0], height=size[1])


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Two minimal sets of a user's own; in each, two cells share a picture."""
    found = []
    for group in ("a", "b"):
        for number, cell in enumerate(("hazard", "benign_text", "benign_image")):
            name = f"{group}-{number // 2}.png"
            found.append(
                Sample(
                    id=f"{group}-{cell}",
                    split="test",
                    group=group,
                    cell=cell,
                    image=picture(tmp_path / name, (37, 22), ord(group) + number // 2),
                    question=f"May I paint the wall {group}?",
                    category=None,
                    hypothesis=None,
                    reference=join(["words"] * 7),
                    unsafe_reply=None,
                    licence="CC0-1.0",
                    provenance=Provenance(producer="human", source="notes"),
                    caption=f"A wet wall, {group}.",
                    paraphrases=("Shall I paint it?", "Is painting fine?", f"May I paint the wall {group}?"),
                )
            )
    return found


def ask(
    probe: Probe, sample: Sample, samples: list[Sample], folder: Path, seed: int = 0, instruction: str | None = None
) -> tuple[Message, ...] | None:
    return probe_messages(
        probe, sample, samples, folder, instruction=instruction, seed=seed, pictures=folder / "probes"
    )


def changed(probe: Probe, sample: Sample, samples: list[Sample], folder: Path, seed: int = 0) -> Message:
    messages = ask(probe, sample, samples, folder, seed)
    assert messages is not None and len(messages) == 1 and len(messages[0].images) == 1
    return messages[0]


def pixels(path: Path) -> np.ndarray:
    with PILImage.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_blank_picture_is_grey_of_the_same_size_and_the_words_stay(samples: list[Sample], tmp_path: Path):
    message = changed("blank", samples[0], samples, tmp_path)
    assert message.text == samples[0].question
    found = pixels(message.images[0])
    assert found.shape == (22, 37, 3) and (found == 128).all()
    assert changed("blank", samples[3], samples, tmp_path).images == message.images
    assert len(list((tmp_path / "probes").iterdir())) == 1


def test_a_shuffled_picture_has_the_same_tiles_in_other_places(samples: list[Sample], tmp_path: Path):
    before = pixels(tmp_path / samples[0].image.path)
    message = changed("shuffled", samples[0], samples, tmp_path)
    after = pixels(message.images[0])
    assert message.text == samples[0].question and after.shape == before.shape
    width, height = 37 // GRID, 22 // GRID
    tiles = [
        [p[y * height : (y + 1) * height, x * width : (x + 1) * width].tobytes() for y in range(4) for x in range(4)]
        for p in (before, after)
    ]
    assert sorted(tiles[0]) == sorted(tiles[1])
    assert not any(one == other for one, other in zip(*tiles, strict=True))
    assert (after[4 * height :] == before[4 * height :]).all() and (
        after[:, 4 * width :] == before[:, 4 * width :]
    ).all()


def test_a_swapped_picture_is_of_another_set_wherever_the_draw_begins(samples: list[Sample], tmp_path: Path):
    seen = set()
    for seed in range(20):
        for sample in samples:
            name = changed("swapped", sample, samples, tmp_path, seed).images[0].name
            assert name[0] != sample.group
            seen.add(name)
    assert seen == {"a-0.png", "a-1.png", "b-0.png", "b-1.png"}


def test_an_equal_picture_of_another_set_is_no_swap(samples: list[Sample], tmp_path: Path):
    twin = samples[0].model_copy(update={"id": "c", "group": "c"})
    assert ask("swapped", samples[0], [samples[0], samples[1], twin], tmp_path) is None
    assert ask("swapped", samples[0], [], tmp_path) is None


def test_a_caption_stands_before_the_request_of_a_grey_picture(samples: list[Sample], tmp_path: Path):
    message = changed("caption", samples[0], samples, tmp_path)
    assert message.text == "A wet wall, a.\n\nMay I paint the wall a?"
    assert (pixels(message.images[0]) == 128).all()


def test_a_paraphrase_changes_the_words_only(samples: list[Sample], tmp_path: Path):
    words = {changed("paraphrase", samples[0], samples, tmp_path, seed).text for seed in range(20)}
    assert words == {"Shall I paint it?", "Is painting fine?"}
    plain = render_messages(samples[0], tmp_path)[0]
    assert changed("paraphrase", samples[0], samples, tmp_path).images == plain.images


def test_the_instruction_follows_the_changed_request(samples: list[Sample], tmp_path: Path):
    for probe in REQUEST_PROBES:
        messages = ask(probe, samples[0], samples, tmp_path, instruction="Think in steps.")
        assert messages is not None and messages[0].text.endswith("\n\nThink in steps.")


def test_what_a_sample_does_not_have_is_not_probed(samples: list[Sample], tmp_path: Path):
    question = samples[0].question
    bare = samples[0].model_copy(update={"caption": None, "paraphrases": (question,)})
    assert ask("caption", bare, samples, tmp_path) is None
    assert ask("paraphrase", bare, samples, tmp_path) is None
    tiny = bare.model_copy(update={"image": picture(tmp_path / "tiny.png", (3, 40), 9)})
    assert ask("shuffled", tiny, samples, tmp_path) is None


def test_draws_hang_on_seed_and_sample_and_not_on_what_was_asked_before(samples: list[Sample], tmp_path: Path):
    first = [ask(probe, s, samples, tmp_path) for probe in REQUEST_PROBES for s in samples]
    again = [ask(probe, s, samples, tmp_path) for probe in reversed(REQUEST_PROBES) for s in reversed(samples)]
    assert first == again[::-1]
    for sample in samples:
        assert ask("shuffled", sample, samples, tmp_path, seed=1) != ask("shuffled", sample, samples, tmp_path)


def test_pictures_are_named_by_size_and_content_and_written_once(tmp_path: Path):
    wide, high = store(blank((8, 4)), tmp_path), store(blank((4, 8)), tmp_path)
    assert wide != high
    written = wide.stat().st_mtime_ns
    assert store(blank((8, 4)), tmp_path) == wide and wide.stat().st_mtime_ns == written
    assert {path.suffix for path in tmp_path.iterdir()} == {".png"}


def test_no_tile_stays_for_any_seed():
    source = PILImage.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).convert("RGB")
    for seed in range(200):
        result = shuffled(source, random.Random(seed))
        assert result is not None
        found = np.asarray(result)[:, :, 0].ravel()
        assert sorted(found) == list(range(16)) and (found != np.arange(16)).all()


def test_a_picture_that_is_none_is_named(samples: list[Sample], tmp_path: Path):
    (tmp_path / samples[0].image.path).write_text("no picture")
    with pytest.raises(DataError, match=r"a-0\.png: not a readable image"):
        ask("shuffled", samples[0], samples, tmp_path)


@pytest.mark.parametrize("probe", PATH_PROBES)
def test_a_probe_of_the_path_is_no_request(probe: Probe, samples: list[Sample], tmp_path: Path):
    with pytest.raises(ValueError, match="changes the path"):
        ask(probe, samples[0], samples, tmp_path)


def test_without_a_picture_only_the_words_change(samples, tmp_path):
    bare = samples[0].model_copy(update={"image": None})
    for probe in PICTURE_PROBES:
        assert ask(probe, bare, samples, tmp_path) is None
    (message,) = ask("paraphrase", bare, samples, tmp_path) or ()
    assert message.images == () and message.text != bare.question


def test_the_other_picture_is_one_that_is_there(samples, tmp_path):
    others = [
        s if s.group == "a" or s.cell == "benign_image" else s.model_copy(update={"image": None}) for s in samples
    ]
    (message,) = ask("swapped", others[0], others, tmp_path) or ()
    assert message.images[0].read_bytes() == (tmp_path / others[-1].image.path).read_bytes()
