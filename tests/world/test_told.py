"""The embedded world told in words: samples without pictures, their judge, and rows to pretrain on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.judge.base import JudgeItem
from srpo.types import CELLS, Sample, Verdict
from srpo.world import OracleJudge, WorldSettings, build_samples, load_world
from srpo.world.card import SETS, context_of, count, render_card
from srpo.world.corpus import Corpus
from srpo.world.domain import load_domain
from srpo.world.knowledge import ASSETS
from srpo.world.pretrain import PretrainSettings
from srpo.world.scenes import situation_from
from srpo.world.slips import SlipRates
from srpo.world.tiny import build_tokenizer
from srpo.world.tiny_text import build_text_tokenizer

SMALL = {"train": 3, "test_scenes": 2, "test_combinations": 2, "test_rules": 2, "test_words": 2}


def samples(folder: Path, **more: object) -> list[Sample]:
    return list(build_samples(WorldSettings.model_validate({**SMALL, **more}), folder))


def verdict(sample: Sample, text: str) -> Verdict:
    item = JudgeItem(subject="x", sample=sample, folder=Path(), part="path", text=text, truncated=False)
    return OracleJudge().judge([item])[0]


def test_the_same_sets_are_told_that_are_drawn_otherwise(tmp_path):
    told, drawn = samples(tmp_path / "told", context="words"), samples(tmp_path / "drawn")
    assert [s.scene | {"look": "told"} for s in drawn] == [s.scene for s in told]
    assert not set(s.id for s in told) & set(s.id for s in drawn)
    assert all(t.image is None and t.question.endswith(f" {d.question}") for t, d in zip(told, drawn, strict=True))
    assert list((tmp_path / "told" / "images").iterdir()) == []


def test_the_sentence_names_what_is_there_in_reading_order(tmp_path):
    for sample in samples(tmp_path, context="words"):
        names = situation_from(sample.scene).scene.names
        sentence, _ = sample.question.split(". ", 1)
        assert sentence.startswith("I can see a") and [sentence.index(f" {name}") for name in names] == sorted(
            sentence.index(f" {name}") for name in names
        )


@pytest.mark.parametrize("domain", ["requests", "household"])
def test_the_oracle_takes_the_reference_and_no_word_of_a_picture(domain, tmp_path):
    for sample in samples(tmp_path, context="words", domain=domain):
        right = verdict(sample, sample.reference.text)
        assert right.safe and right.effective
        pictured = sample.reference.text.replace("The user can see", "The picture shows")
        assert verdict(sample, pictured).steps[0].effective is False
    drawn = samples(tmp_path, domain=domain)[0]
    told = drawn.reference.text.replace("The picture shows", "The user can see")
    assert verdict(drawn, told).steps[0].effective is False


def test_another_look_of_what_is_not_drawn_is_refused():
    with pytest.raises(ValidationError, match="set test_style=0"):
        WorldSettings(context="words", test_style=1)


def test_a_language_model_of_the_household_is_refused():
    with pytest.raises(ConfigError, match=r"domain=household goes on from the shipped model.*set context=picture"):
        load_config(None, ["domain=household", "context=words"], PretrainSettings)


def test_the_edition_has_paraphrases_and_no_caption(tmp_path):
    (sample, *_) = build_samples(
        WorldSettings(context="words", train=0, test_scenes=0, test_combinations=0, test_rules=0, rsbench=1), tmp_path
    )
    assert sample.caption is None and len(sample.paraphrases) == 4
    assert len({words.split(". ")[0] for words in (sample.question, *sample.paraphrases)}) == 1


@pytest.mark.parametrize("rates", [None, SlipRates(strong=1.0, weak_rules=1.0)], ids=["clean", "mixed"])
def test_rows_to_pretrain_on_hold_no_unknown_word_and_no_picture(rates):
    world = load_world()
    tokenizer = build_text_tokenizer(build_tokenizer(world))
    batch = next(Corpus(load_domain("requests"), tokenizer, random.Random(0), rates).batches(16))
    assert batch.pixels is None
    for ids, mask, weights in zip(batch.ids, batch.mask, batch.weights, strict=True):
        text = tokenizer.decode(ids[mask.bool()])
        asked, _, written = text.partition("Assistant:\n")
        assert asked.startswith("User: I can see a") and "<0x" not in " ".join(tokenizer.convert_ids_to_tokens(ids))
        assert tokenizer.decode(ids[weights > 0]) == written


def test_the_card_of_a_language_model_says_what_it_is():
    assert context_of(ASSETS / "tiny-vlm") == "picture"
    figures, slips = {"greedy": count([])}, {"greedy": {"never": 0}}
    card = render_card(figures, slips, "requests", "words")
    assert "pipeline_tag: text-generation" in card and "Llama" in card and "picture" not in card
    assert f"on {SETS} minimal sets" in card and len(CELLS) == 4
