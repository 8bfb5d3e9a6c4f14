"""Pushing: to a hub on this machine, and what must never leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub, hub
from published import dataset, review

from srpo.data.folder import DatasetFolder
from srpo.errors import ConfigError, DataError
from srpo.progress import silent
from srpo.publish import PublishPlan, publish
from srpo.records import read_records, write_records
from srpo.types import Sample, Source

PUSH = """
import json, sys
from pathlib import Path
from srpo.errors import SrpoError
from srpo.progress import silent
from srpo.publish import PublishPlan, publish

run, out, wishes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
for name, public in wishes:
    try:
        print(publish(PublishPlan(run, out, audited=False, repository=name, public=public), silent).address)
    except SrpoError as error:
        print("refused:", error)
"""


@pytest.fixture
def run(tmp_path: Path) -> DatasetFolder:
    folder = dataset(tmp_path / "run", train=1, val=1)
    review(folder, read_records(folder.samples, Sample))
    return folder


def push(server: Hub, run: DatasetFolder, *wishes: tuple[str, bool]) -> list[str]:
    """Addresses or refusals, by a process of its own: the hub's library reads its settings when it is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    environment |= {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_none", "HF_HOME": str(run.path.parent / "home")}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    words = [sys.executable, "-c", PUSH, str(run.path), str(run.path.parent / "out"), json.dumps(wishes)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_release_arrives_whole_and_where_it_may(run):
    wishes = (("me/mine", False), ("me/public", False), ("me/public-told", True), ("me/refused", False))
    with hub() as server:
        mine, shy, told, refused = push(server, run, *wishes)
    assert mine == f"{server.url}/datasets/me/mine"
    out = run.path.parent / "out"
    sent = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    # A shard of an earlier release would be read along with the new ones; what is not ours stays.
    assert server.files["me/mine"] == {**sent, "notes.txt": b"theirs"}
    assert [(one["name"], one["visibility"]) for one in server.created] == [
        ("mine", "private"),
        ("public", "private"),
        ("public-told", "public"),
    ]
    assert "me/public: is public already; add --public" in shy
    assert not any("/me/public/commit/" in call for call in server.calls)
    assert told == f"{server.url}/datasets/me/public-told"
    assert server.files["me/public-told"] == server.files["me/mine"]
    assert refused.startswith("refused: --push me/refused: the hub refused or cannot be reached (")
    assert "HF_TOKEN" in refused
    assert "hf_none" not in refused


def refused(run: DatasetFolder, **wishes: object) -> str:
    """The refusal, which comes before anything is written."""
    plan = PublishPlan(run.path, run.path.parent / "out", audited=False, **{"repository": "me/x", **wishes})
    with pytest.raises((ConfigError, DataError)) as error:
        publish(plan, silent)
    assert not plan.out.exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"do_not_train": True}, "says do_not_train"),
        ({"licence": "CC-BY-ND-4.0"}, "'CC-BY-ND-4.0' forbids works made from it"),
        ({"licence": "All rights reserved"}, "allows no use"),
        ({"licence": "for research, no training"}, "forbids training"),
    ],
)
def test_what_a_source_forbids_is_not_sent(run, change, problem):
    sources = read_records(run.sources, Source)
    write_records(run.sources, [sources[0].model_copy(update=change), *sources[1:]])
    found = refused(run)
    assert problem in found
    assert sources[0].original in found


def test_an_incomplete_review_is_not_sent(run):
    run.reviews.unlink()
    assert "nobody has decided 8 of 8 samples" in refused(run, unreviewed=True)


def test_an_unknown_licence_is_not_for_all_to_see(run):
    sources = read_records(run.sources, Source)
    write_records(run.sources, [one.model_copy(update={"licence": "Mine-1.0"}) for one in sources])
    assert "'Mine-1.0' is not known to allow publication" in refused(run, public=True)


@pytest.mark.parametrize("name", ["x", "me/", "/x", "me/x/y", "me/ x", "../me/x", "https://example.invalid/me/x"])
def test_a_name_that_is_none(run, name):
    assert "expected OWNER/NAME" in refused(run, repository=name)


def test_options_that_say_nothing_alone(run):
    assert "--push OWNER/NAME too" in refused(run, repository=None, public=True)
    assert "--kind goes with --format" in refused(run, repository=None, kind="sft")
