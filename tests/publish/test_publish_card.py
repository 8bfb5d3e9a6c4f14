"""The dataset card: what hubs read, what people read, and that data cannot write into it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from published import dataset, review, write_config

from srpo.data.folder import DatasetFolder
from srpo.progress import silent
from srpo.publish import PublishPlan, publish
from srpo.publish.card import plain
from srpo.records import read_records, write_records
from srpo.types import DraftSet, Rejection, Sample, Source

HOSTILE = (
    "<script>alert(1)</script>",
    "| a | b |",
    "[click](javascript:alert(1))",
    "![x](http://example.invalid/x.png)",
    "<img src=x onerror=alert(1)>",
    "**bold** _it_ `code` ~~no~~ # head",
    "http://example.invalid www.example.invalid @everyone",
    "\u202eevil\u202c \u0000 line\nbreak\r\n---\n# title",
    "&lt;b&gt; {name} {licence}",
    "1. list\n- list\n> quote\n    code",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    folder = dataset(tmp_path_factory.mktemp("card") / "run", train=3, val=1)
    samples = read_records(folder.samples, Sample)
    review(folder, samples, lambda number, name: "drop" if number < 4 and (number == 0 or name < "B") else "keep")
    return folder


def card_of(folder: DatasetFolder, out: Path, **wishes: object) -> str:
    publish(PublishPlan(folder.path, out, **wishes), silent)
    return (out / "README.md").read_text(encoding="utf-8")


def head_of(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def table_of(card: str, title: str) -> list[list[str]]:
    """Cells of the table under a title, column names first."""
    lines = card.split(f"**{title}**\n\n")[1].split("\n\n")[0].splitlines()
    rows = [[cell.strip().replace("\\", "") for cell in line.strip("|").split(" | ")] for line in lines]
    return [rows[0], *rows[2:]]


def test_the_head_is_what_hubs_read(run, tmp_path):
    head = head_of(card_of(run, tmp_path / "out"))
    assert head["license"] == "cc-by-4.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*.parquet"},
                {"split": "val", "path": "data/val-*.parquet"},
            ],
        }
    ]
    hub = pytest.importorskip("huggingface_hub")
    data = hub.DatasetCard.load(tmp_path / "out" / "README.md").data
    assert data.license == "cc-by-4.0"
    assert data.task_categories == ["image-text-to-text", "visual-question-answering"]


def test_the_figures_are_those_of_the_data(run, tmp_path):
    card = card_of(run, tmp_path / "out")
    sizes = table_of(card, "Samples by split and cell")
    assert sizes[1:] == [
        ["train", "2", "2", "2", "2", "8", "2"],
        ["val", "1", "1", "1", "1", "4", "1"],
        ["all", "3", "3", "3", "3", "12", "3"],
    ]
    assert table_of(card, "Dropped, by stage and reason")[1:] == [
        ["sources", "licence", "1"],
        ["adjudication", "text_only", "2"],
        ["cells", "joint", "1"],
        ["review", "dropped in review", "1"],
    ]
    assert table_of(card, "Checks of published samples")[1] == ["image_only", "12", "0", "0"]
    assert table_of(card, "Votes of judges")[2] == ["image_only", "judge@2", "12", "12"]
    costs = table_of(card, "Calls to models, those of all starts")
    assert ["query", "query", "agent", "20", "2", "2000", "100", "0.750"] in costs
    assert ["query", "reasoning", "agent", "10", "1", "1000", "50", "\u2013"] in costs
    balance = table_of(card, "Samples by category of the set, split and cell")[1:]
    assert sum(int(cell) for row in balance for cell in row[2:]) == 12
    assert all(row[2:5] == [row[2]] * 3 for row in balance)
    assert "no figures: hazards are in 3" in card.replace("\\", "")


def test_agreement_is_of_pseudonyms_and_counts_dropped_samples(run, tmp_path):
    card = card_of(run, tmp_path / "out")
    first = table_of(card, "Agreement of reviewers, 95 % intervals over minimal sets")[1]
    # Of 16 samples both drop one, Anna alone drops three more: 13 alike, and kappa is by hand.
    expected = (4 * 1 + 12 * 15) / 16**2
    assert first[0] == "keep or drop, Cohen's kappa"
    assert first[1] == "reviewer-1, reviewer-2"
    assert float(first[2]) == pytest.approx((13 / 16 - expected) / (1 - expected), abs=5e-4)
    assert first[-2:] == ["16", "13"]


def test_licences_that_are_not_known_are_named(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    sources = read_records(folder.sources, Source)
    write_records(folder.sources, [one.model_copy(update={"licence": "Mine-1.0"}) for one in sources])
    card = card_of(folder, tmp_path / "out")
    head = head_of(card)
    assert (head["license"], head["license_name"]) == ("other", "several")
    assert "Not known to the order of licences: Mine\\-1\\.0" in card


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_data_cannot_write_into_the_card(run, tmp_path, text):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    plain_card = card_of(folder, tmp_path / "plain")
    sources = read_records(folder.sources, Source)
    write_records(folder.sources, [one.model_copy(update={"attribution": text, "licence": text}) for one in sources])
    rejections = read_records(folder.rejections, Rejection)
    write_records(folder.rejections, [one.model_copy(update={"reason": text}) for one in rejections])
    sets = []
    for one in read_records(folder.sets, DraftSet):
        made = {
            c: tuple(m.model_copy(update={"model": text, "role": text}) for m in d.made) for c, d in one.cells.items()
        }
        votes = {
            c: tuple(k.model_copy(update={"votes": (k.votes[0].model_copy(update={"judge": text}),)}) for k in d.checks)
            for c, d in one.cells.items()
        }
        cells = {c: d.model_copy(update={"made": made[c], "checks": votes[c]}) for c, d in one.cells.items()}
        sets.append(one.model_copy(update={"cells": cells}))
    write_records(folder.sets, sets)
    card = card_of(folder, tmp_path / "out")
    assert head_of(card)["license"] == "other"
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    body, before = (parser.parse(one.split("---\n", 2)[2]) for one in (card, plain_card))
    inline = [child for token in body if token.children for child in token.children]
    assert {token.type for token in body} <= {token.type for token in before}
    assert {token.type for token in inline} <= {"text", "softbreak", "strong_open", "strong_close", "code_inline"}
    assert [t.content for t in inline if t.type == "code_inline"] == _code(parser, plain_card)
    headings = [body[i + 1].content for i, token in enumerate(body) if token.type == "heading_open"]
    assert headings == [before[i + 1].content for i, token in enumerate(before) if token.type == "heading_open"]
    assert not re.search("[\x00-\x08\u202a-\u202e]", card)


def _code(parser: MarkdownIt, card: str) -> list[str]:
    tokens = parser.parse(card.split("---\n", 2)[2])
    return [child.content for token in tokens for child in token.children or () if child.type == "code_inline"]


def test_plain_text_shows_as_it_is():
    parser = MarkdownIt("commonmark")
    for text in HOSTILE:
        shown = parser.parse(f"x {plain(text)}")[1].children or []
        found = "".join(token.content for token in shown)
        wanted = " ".join(re.sub("[\x00\u202a-\u202e]", "\ufffd", text).split())
        assert found == f"x {wanted}"


def test_a_quota_that_is_not_met_is_told(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    config = write_config(folder)
    write_config(folder, clean=config.clean.model_copy(update={"quotas": {"violence": 7}}))
    assert re.search(r"category violence: \d of at most 7 sets", card_of(folder, tmp_path / "out").replace("\\", ""))
