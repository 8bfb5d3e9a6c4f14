"""The commands."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from review_process import ENVIRONMENT, client_of, start
from review_rows import write_dataset
from typer.testing import CliRunner

from srpo.cli.review import app
from srpo.errors import ConfigError, DataError
from srpo.records import read_records, write_records
from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review
from srpo.types.data import Edit, Review


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path)
    with Store.open(tmp_path, Plan(per_item=2)) as store:
        for who in ("Ada", "[red]Bob\u00a0x"):
            for number in range(1, 9):
                name = " ".join(who.split())
                item = store.item(number, name)
                decision = "drop" if number == 1 or (number == 2 and who == "Ada") else "keep"
                store.decide(draft_review(item, name, decision, blind=True), item.version)
    return tmp_path


def run(*words: str | Path) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_export_and_import_say_what_they_did(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert "16 reviews" in run("export", folder)
    assert len(read_records(folder / "reviews.jsonl", Review)) == 16
    out = tmp_path_factory.mktemp("out")
    assert "tasks.xml" in run("export", folder, "--format", "label-studio", "--out", out / "tasks.json")
    copy = tmp_path_factory.mktemp("copy")
    write_dataset(copy)
    assert "16 reviews taken over, 0 were there" in run("import", copy, folder / "reviews.jsonl")
    assert "0 reviews taken over, 16 were there" in run("import", copy, out / "tasks.json", "--format", "label-studio")


def test_export_says_what_is_left_to_do(folder: Path) -> None:
    assert "16 reviews; 4 of 12 items have fewer than the 2 votes planned\n" in run("export", folder)
    with Store.open(folder) as store:
        item = store.item(5, "Ada")
        changed = draft_review(item, "Ada", "edit", edit=Edit(question="Something else?"))
        store.decide(changed, item.version)
        item = store.item(9, "Ada")
        store.decide(draft_review(item, "Ada", "keep"), item.version)
        item = store.item(9, "Bob")
        store.decide(draft_review(item, "Bob", "drop"), item.version)
    assert "18 reviews" not in (found := run("export", folder)) and "19 reviews; 3 of 12 items" in found
    assert "; 1 disputed, for an adjudicator to settle" in found


def test_export_names_sets_whose_edits_part_a_shared_request(tmp_path: Path) -> None:
    samples = [one.model_copy(update={"question": f"{one.group}?"}) for one in write_dataset(tmp_path, 2)]
    write_records(tmp_path / "samples.jsonl", samples)
    with Store.open(tmp_path) as store:
        for number in range(1, 9):
            item, edit = store.item(number, "Ada"), Edit(question="Something else?")
            one = draft_review(item, "Ada", "edit", edit=edit) if number == 1 else draft_review(item, "Ada", "keep")
            store.decide(one, item.version)
    found = run("export", tmp_path)
    assert "left out, as the request was edited in one of the cells that share it: 1 set (s0)" in found


def test_pictures_get_the_prefix_that_a_tool_asks_for(folder: Path, tmp_path: Path) -> None:
    prefix = "/data/local-files/?d=ssui/"
    for form, field in (("label-studio", "data"), ("argilla", "fields")):
        out = tmp_path / f"{form}.json"
        run("export", folder, "--format", form, "--out", out, "--images-prefix", prefix)
        assert {one[field]["image"] for one in json.loads(out.read_text("utf-8"))} == {f"{prefix}images/kitchen.png"}
    with pytest.raises(ConfigError, match="names no pictures"):
        run("export", folder, "--images-prefix", prefix)


def test_an_export_beside_the_reviews_leaves_them_alone(folder: Path) -> None:
    run("export", folder)
    before = (folder / "reviews.jsonl").read_bytes()
    run("export", folder, "--out", folder / "other.jsonl")
    assert (folder / "reviews.jsonl").read_bytes() == before == (folder / "other.jsonl").read_bytes()


def test_agreement_is_printed_with_names_as_they_are(folder: Path) -> None:
    # Of 8 both drop 1 and keep 6; Ada drops 2, Bob 1: p_o = 7/8, p_e = (2 * 1 + 6 * 7) / 64, kappa = 12 / 20.
    found = run("agreement", folder)
    assert (
        "0.60" in found and "Ada, [red]Bob x" in found and "7 of 8" in found and "16 votes, 16 of them blind" in found
    )


def test_mistakes_are_errors_with_what_to_do(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cases: list[tuple[type[Exception], str, list[str | Path]]] = [
        (ConfigError, "give a file with --out", ["export", folder, "--format", "csv"]),
        (DataError, "no such file; give the file with the reviews", ["import", folder, folder / "nowhere.jsonl"]),
        (DataError, "made by `srpo build`", [tmp_path_factory.mktemp("empty"), "--no-open", "--port", "0"]),
        (
            ConfigError,
            "3 reviewers per item",
            [folder, "--no-open", "--port", "0", "--reviewers", "a,b", "--per-item", "3"],
        ),
    ]
    for error, words, command in cases:
        with pytest.raises(error, match=words):
            run(*command)


def test_a_port_that_is_taken_is_an_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(ConfigError, match="cannot listen there"):
            run(folder, "--no-open", "--port", port)


def test_the_server_says_where_it_is_listens_at_this_machine_only_and_stops_politely(folder: Path) -> None:
    process, address = start(folder, "--reviewers", "Ada,Bob", "--per-item", "2", "--seed", "5")
    assert address.startswith("http://127.0.0.1:") and len(address.partition("token=")[2]) >= 32
    with closing(client_of(address, "Cleo", "adjudicator")) as client:
        assert client.get("/api/next").json()["number"] is not None
    port = int(address.split(":")[2].partition("/")[0])
    for other in {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}:
        if not str(other).startswith("127."):
            with pytest.raises(OSError), socket.create_connection((str(other), port), timeout=2):
                pass
    process.terminate()
    printed, _ = process.communicate(timeout=20)
    assert "writes reviews.jsonl" in printed and "Traceback" not in printed
    with Store.open(folder) as store:
        assert store.plan == Plan(reviewers=("Ada", "Bob"), per_item=2, seed=5)


def test_the_first_word_may_be_a_folder_or_a_command(folder: Path) -> None:
    assert "export" in run("--help") and "--per-item" in run("page", "--help")


def test_without_the_extra_the_page_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "srpo.review.run", raising=False)
    monkeypatch.delitem(sys.modules, "srpo.review.app", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ConfigError, match=r'pip install "srpo\[review\]"'):
        run(folder, "--no-open")
    assert "7 of 8" in run("agreement", folder)


def test_the_store_loads_no_server_and_no_model() -> None:
    code = "import sys, srpo.review.exchange; print([name for name in ('fastapi', 'torch') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert found.stdout.strip() == "[]", found.stderr
