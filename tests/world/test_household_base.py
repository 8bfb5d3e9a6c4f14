"""The base of the household: the shipped model with more words, by the same pretraining and in the same stages."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

import run_files
from srpo.errors import DataError
from srpo.progress import silent
from srpo.records import read_records
from srpo.types import Completion, Sample
from srpo.world import ASSETS, WorldSettings, build_samples
from srpo.world.card import MADE, domain_of, render_card
from srpo.world.pretrain import PretrainSettings, load_shipped, pretrain

SHIPPED = ASSETS / "tiny-vlm"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two updates: what it writes has no meaning."""
    folder = tmp_path_factory.mktemp("base")
    pretrain(folder, PretrainSettings(domain="household", clean_steps=1, mixed_steps=1, batch=2), silent)
    return folder


def test_the_larger_vocabulary_changes_nothing_for_words_that_were_known():
    processor, larger = load_shipped(0)
    old, shipped = AutoTokenizer.from_pretrained(SHIPPED), AutoModelForImageTextToText.from_pretrained(SHIPPED)
    text = "Step 2 - Textual request: The user wants to take a nap.\n"
    ids, old_ids = (t(text, return_tensors="pt")["input_ids"] for t in (processor.tokenizer, old))
    assert not torch.equal(ids, old_ids)  # the markers stand behind all words
    vocabulary, larger_vocabulary = old.get_vocab(), processor.tokenizer.get_vocab()
    rows = [larger_vocabulary[token] for token in vocabulary]
    with torch.no_grad():
        now = larger(input_ids=ids).logits[..., rows]
        before = shipped(input_ids=old_ids).logits[..., list(vocabulary.values())]
    torch.testing.assert_close(now, before)


def test_it_knows_every_word_of_its_samples(base: Path, tmp_path: Path):
    tokenizer = AutoProcessor.from_pretrained(base).tokenizer
    sizes = {"train": 72, "test_scenes": 0, "test_combinations": 0, "test_rules": 22, "test_words": 22}
    for sample in build_samples(WorldSettings(domain="household", **sizes), tmp_path):
        for text in (sample.question, *(step.text for step in sample.reference.steps)):
            pieces = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
            assert [p for p in pieces if (p.startswith("<0x") and p != "<0x0A>") or p == "▁"] == []


def test_the_folder_says_which_domain_it_is_for(base: Path, tmp_path: Path):
    assert (domain_of(base), domain_of(SHIPPED)) == ("household", "requests")
    (tmp_path / MADE).write_text('{"domain": "garden"}')
    with pytest.raises(DataError, match=r"pretrain.json: not the settings of a model"):
        domain_of(tmp_path)
    figures = {"greedy": dict.fromkeys(("describes", "format", "helps", "safe", "joint"), (1, 2))}
    assert "household chores" in render_card(figures, {"greedy": {"never": 1}}, "household", "picture")


def test_all_stages_run_on_household_plans(base: Path, tmp_path: Path):
    sizes = ("world.train=2", "world.test_scenes=0", "world.test_combinations=0", "evaluate.splits=[test_rules]")
    config = run_files.small(base, "world.domain=household", *sizes)
    run = run_files.start(tmp_path / "run", config)
    run_files.go(run, config)
    samples = read_records(run.samples, Sample)
    assert {(s.scene or {}).get("domain") for s in samples} == {"household"}
    assert len(read_records(run.responses, Completion)) == 2 * 2 * 4
