"""Reviews of a dataset as labels of people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chat_server import Answer, chat, serve
from srpo.calibrate import agreement, read_reviews
from srpo.cli import judge as commands
from srpo.data.settle import sample_sha256
from srpo.errors import ConfigError, DataError, SrpoError
from srpo.records import read_records, write_records
from srpo.types import JudgeCard, Sample
from srpo.types.data import Review
from srpo.world.dataset import WorldSettings, build_samples


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return made_dataset(tmp_path)


def made_dataset(folder: Path) -> list[Sample]:
    """Two minimal sets of the drawn world, with their pictures."""
    settings = WorldSettings(train=2, test_scenes=0, test_combinations=0, test_rules=0)
    found = list(build_samples(settings, folder))
    write_records(folder / "samples.jsonl", found)
    return found


def review(of: Sample, who: str, safety: int | None, **changes: Any) -> Review:
    fields = {"decision": "keep", "blind": True, "time": "2026-01-01T00:00:00Z", "id": f"{of.id} {who} {changes}"}
    fields |= {"sample": of.id, "sample_sha256": sample_sha256(of), "reviewer": who, "safety": safety}
    return Review.model_validate(fields | changes)


def labels(folder: Path, *reviews: Review, flag: str = "unsafe") -> dict[str, str | None]:
    write_records(folder / "reviews.jsonl", reviews)
    return {row.id: row.label for row in read_reviews(folder / "reviews.jsonl", flag).rows}


def test_scores_become_labels_and_the_middle_is_none(tmp_path: Path, samples: list[Sample]) -> None:
    scores = (1, 2, 3, 4, 5, None)
    found = labels(tmp_path, *(review(s, "ada", n) for s, n in zip(samples, scores, strict=False)))
    assert [found[s.id] for s in samples[:6]] == ["yes", "yes", None, "no", "no", None]
    assert set(found) == {s.id for s in samples[:6]}


def test_most_reviewers_an_adjudicator_and_what_does_not_count(tmp_path: Path, samples: list[Sample]) -> None:
    most, tie, ruled, again, changed = samples[:5]
    rows = [review(most, name, score) for name, score in (("ada", 1), ("bob", 5), ("eve", 2))]
    rows += [review(tie, "ada", 1), review(tie, "bob", 5)]
    rows += [review(ruled, "ada", 1), review(ruled, "bob", 1), review(ruled, "zoe", 5, role="adjudicator")]
    rows += [review(again, "ada", 1), review(again, "ada", 5, note="a second look"), review(again, "bob", 4)]
    rows += [review(again, "eve", 1, withdrawn=True), review(changed, "ada", 1, sample_sha256="0" * 64)]
    found = labels(tmp_path, *rows)
    assert found == {most.id: "yes", tie.id: None, ruled.id: "no", again.id: "no"}
    file = read_reviews(tmp_path / "reviews.jsonl", "unsafe")
    assert file.annotators == ("ada", "bob", "eve") and file.clusters == [s.group for s in sorted(samples[:4], key=ids)]
    told = agreement(file, seed=0)
    assert told is not None and told.alpha.n == 4


def ids(sample: Sample) -> str:
    return sample.id


def test_a_model_is_held_against_reviews_with_pictures_and_replies(tmp_path: Path, samples: list[Sample]) -> None:
    labels(tmp_path, *(review(s, "ada", 1 if n % 2 else 5) for n, s in enumerate(samples)))

    def judging(payload: dict[str, Any], number: int) -> Answer:
        text = json.dumps(payload)
        assert "data:image/png;base64," in text
        return Answer(chat('{"reason": "I looked.", "safe": true, "effective": true, "declined": false}'))

    with serve(judging) as server:
        words = ["calibrate", "--labels", str(tmp_path / "reviews.jsonl"), "--flag", "unsafe", "--subset", "0"]
        words += ["--model", "openai:j", "--base-url", server.base_url, "--out", str(tmp_path / "card")]
        done = CliRunner().invoke(commands.app, words, terminal_width=200)
        assert done.exit_code == 0, done.output
        asked = json.dumps([payload["messages"] for payload in server.payloads])
    assert len(server.payloads) == len(samples)
    assert all(json.dumps(s.question)[1:-1] in asked for s in samples)
    card = read_records(tmp_path / "card" / "card.json", JudgeCard)[0]
    assert (card.human_rate.value, card.judge_rate.value, card.sensitivity.value) == (0.5, 0.0, 0.0)
    assert card.calibrated_on.startswith("reviews.jsonl")


def test_mistakes_are_one_line(tmp_path: Path, samples: list[Sample]) -> None:
    file = tmp_path / "reviews.jsonl"
    write_records(file, [review(samples[0], "ada", 3)])
    cases: list[tuple[Path, tuple[str | None, str | None], type[SrpoError], str]] = [
        (file, ("unsafe", None), DataError, "no reply has a score of safety"),
        (file, ("declined", None), ConfigError, "one of unsafe, ineffective; give --flag"),
        (file, (None, None), ConfigError, "no flag"),
        (file, ("unsafe", "gpt4"), ConfigError, "ask one with --model"),
        (tmp_path / "review.sqlite", ("unsafe", None), DataError, "srpo review export"),
        (tmp_path / "none" / "reviews.jsonl", ("unsafe", None), DataError, "samples.jsonl"),
    ]
    for path, (flag, judge), kind, words in cases:
        with pytest.raises(kind, match=words) as error:
            read_reviews(path, flag, judge)
        assert "\n" not in str(error.value)
    file.write_text('{"schema": "srpo/1", "record": "review", "id": 5}\n')
    with pytest.raises(DataError, match=r"reviews\.jsonl"):
        read_reviews(file, "unsafe")
