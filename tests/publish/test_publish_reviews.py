"""Which sets people let out: what they kept, what nobody decided, and what they disagree about."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from published import dataset, review

from srpo.data.folder import DatasetFolder
from srpo.errors import DataError
from srpo.progress import silent
from srpo.publish import Published, PublishPlan, publish
from srpo.records import read_records, write_records
from srpo.review.store import Store
from srpo.types import Edit, Review, Sample, Source


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sets, all kept but for the first."""
    folder = dataset(tmp_path_factory.mktemp("reviews") / "run", train=2, val=1)
    review(folder, read_records(folder.samples, Sample), lambda number, name: "drop" if number == 1 else "keep")
    return folder.path


@pytest.fixture
def folder(reviewed: Path, tmp_path: Path) -> DatasetFolder:
    shutil.copytree(reviewed, tmp_path / "run")
    return DatasetFolder(tmp_path / "run")


def again(run: DatasetFolder, out: Path, **wishes: object) -> Published:
    return publish(PublishPlan(run.path, out, audited=False, **wishes), silent)


def test_undecided_sets_are_published_only_when_asked_for(folder, tmp_path):
    samples = read_records(folder.samples, Sample)
    open_ = {sample.id for sample in samples if sample.group == samples[-1].group and sample.cell == "hazard"}
    write_records(folder.reviews, [r for r in read_records(folder.reviews, Review) if r.sample not in open_])
    assert again(folder, tmp_path / "decided").publication.sets == 1
    found = again(folder, tmp_path / "all", unreviewed=True)
    assert found.publication.sets == 2
    assert "1 of 8 samples are published without a decision of people" in found.warnings


def test_without_reviews_it_says_what_to_do(folder, tmp_path):
    folder.reviews.unlink()
    with pytest.raises(DataError, match=r"reviews.jsonl: no such file.*srpo review .*--unreviewed"):
        again(folder, tmp_path / "out")
    write_records(folder.reviews, [])
    with pytest.raises(DataError, match=r"no minimal set is left to publish \(3 not decided\).*--unreviewed"):
        again(folder, tmp_path / "out")
    assert again(folder, tmp_path / "out", unreviewed=True).publication.samples == 12
    assert "No person has reviewed" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_decisions_that_are_not_in_the_file_yet_are_not_passed_over(folder, tmp_path):
    reviews = read_records(folder.reviews, Review)
    with Store.open(folder.path) as store:
        store.add(reviews)
    assert again(folder, tmp_path / "out").publication.sets == 2
    write_records(folder.reviews, reviews[:-1])
    with pytest.raises(DataError, match=r"has 23 reviews, and review.sqlite 24 or other ones.*srpo review export"):
        again(folder, tmp_path / "out")


def test_what_somebody_dropped_is_not_published_as_undecided(folder, tmp_path):
    samples = read_records(folder.samples, Sample)
    decide = lambda number, name: "drop" if number == 4 and name < "B" else "keep"  # noqa: E731
    review(folder, samples, decide)
    for unreviewed in (False, True):
        found = again(folder, tmp_path / "out", unreviewed=unreviewed)
        assert samples[4].group not in {s.group for s in read_records(tmp_path / "out" / "samples.jsonl", Sample)}
        assert found.publication.sets == 2
        assert "| review | disputed | 1 |" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    review(folder, samples, lambda number, name: "drop" if name < "B" else "keep")
    with pytest.raises(DataError, match=r"is left to publish \(3 disputed\); let an adjudicator decide$"):
        again(folder, tmp_path / "out", unreviewed=True)


def test_pictures_that_were_drawn_as_counterparts_are_published(folder, tmp_path):
    sources = read_records(folder.sources, Source)
    write_records(folder.sources, sources[:-1])
    write_records(folder.rendered, sources[-1:])
    found = again(folder, tmp_path / "out")
    assert found.publication.sets == 2 and "rendered.jsonl" in found.publication.inputs


def test_one_vote_of_two_that_were_planned_decides_nothing(folder, tmp_path):
    samples = read_records(folder.samples, Sample)
    first = {one.id for one in samples if one.group == samples[-1].group}  # of that set only Anna has voted
    kept = [one for one in read_records(folder.reviews, Review) if one.reviewer < "B" or one.sample not in first]
    planned = [one.model_copy(update={"planned": 2}) for one in kept]
    write_records(folder.reviews, planned)
    assert again(folder, tmp_path / "out").publication.sets == 1
    page = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| review | not decided | 1 |" in page and "Reviewers per published sample; 2 planned" in page
    assert "| 2 | 4 | 0 |" in page
    assert again(folder, tmp_path / "all", unreviewed=True).publication.sets == 2
    page = (tmp_path / "all" / "README.md").read_text(encoding="utf-8")
    assert "| 1 | 4 | 0 |" in page and "| 2 | 4 | 0 |" in page
    # What the one person wants dropped is not published as undecided.
    drop = [one.model_copy(update={"decision": "drop"}) if one.sample == samples[-1].id else one for one in planned]
    write_records(folder.reviews, drop)
    found = again(folder, tmp_path / "third", unreviewed=True)
    assert found.publication.sets == 1


def test_a_set_whose_shared_request_was_edited_in_one_cell_is_not_published(folder, tmp_path):
    samples = read_records(folder.samples, Sample)
    group = [one for one in samples if one.group == samples[-1].group]
    pair = next([one, two] for one in group for two in group if one.id < two.id and one.question == two.question)
    edit = Edit(question="What about this, then?")
    changed = {"decision": "edit", "edit": edit}

    def edited(*ids: str) -> list[Review]:
        found = read_records(folder.reviews, Review)
        return [one.model_copy(update=changed) if one.sample in ids else one for one in found]

    reviews = read_records(folder.reviews, Review)
    write_records(folder.reviews, edited(pair[0].id))
    found = again(folder, tmp_path / "out")
    assert found.publication.sets == 1 and any(group[0].group in words for words in found.warnings)
    assert "| review | edit\\_split | 1 |" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    write_records(folder.reviews, [one for one in edited(pair[0].id) if one.sample != pair[1].id])
    assert again(folder, tmp_path / "half", unreviewed=True).publication.sets == 1  # half a pair would go out
    write_records(folder.reviews, reviews)
    write_records(folder.reviews, edited(pair[0].id, pair[1].id))
    assert again(folder, tmp_path / "both").publication.sets == 2
