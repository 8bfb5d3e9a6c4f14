"""JSON lines: round trips, resume after a kill, and errors that name the line."""

from pathlib import Path

import pytest

from srpo.errors import DataError
from srpo.records import append_records, content_id, read_records, repair, seed_of, write_records
from srpo.types import Contrast, Node, Sampling, Tree, Verdict

ROWS = [Contrast(tree=f"t{i}", prefix=i, chosen=8, rejected=9) for i in range(3)]


def test_rows_survive_a_round_trip_with_any_text(tmp_path: Path):
    file = tmp_path / "trees.jsonl"
    nasty = 'line\nbreak \u2028 \u0000 ‮ \U0001f600 \\ " {x}'
    tree = Tree(
        id=nasty,
        sample="s",
        nodes=(Node(parent=None, text=nasty, sampled=False),),
        model="m",
        sampling=Sampling(),
        seed=1,
    )
    append_records(file, [tree])
    append_records(file, [tree])
    assert read_records(file, Tree) == [tree, tree]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ('{"schema": "srpo/1", "record": "con', r"line 4: not JSON.*cut off"),
        ('{"schema": "srpo/9"}\n', r"line 4: schema 'srpo/9'"),
        ("[]\n", r"line 4: expected an object, got list"),
        (
            '{"schema": "srpo/1", "record": "contrast", "tree": "t", "prefix": -1, "chosen": 1, "rejected": 2}\n',
            "line 4, field prefix",
        ),
        ('{"schema": "srpo/1", "tree": "t", "prefix": 1, "chosen": 1, "rejected": 2, "x": 1}\n', "field x"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, damage: str, message: str):
    file = tmp_path / "contrasts.jsonl"
    append_records(file, ROWS)
    with file.open("a") as out:
        out.write(damage)
    with pytest.raises(DataError, match=message):
        read_records(file, Contrast)


def test_a_torn_last_line_is_cut_off_and_nothing_else(tmp_path: Path):
    file = tmp_path / "contrasts.jsonl"
    append_records(file, ROWS)
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:25])
    assert repair(file) == 25
    assert read_records(file, Contrast) == ROWS
    assert repair(file) == 0
    assert repair(tmp_path / "absent.jsonl") == 0


def test_missing_and_binary_files_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent\.jsonl: no such file"):
        read_records(tmp_path / "absent.jsonl", Contrast)
    (tmp_path / "bin.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        read_records(tmp_path / "bin.jsonl", Contrast)


def test_a_full_disk_is_a_clear_error():
    with pytest.raises(DataError, match=r"/dev/full: cannot write \(No space left on device\)"):
        append_records(Path("/dev/full"), ROWS)


def test_a_failed_whole_write_keeps_the_old_file(tmp_path: Path):
    file = tmp_path / "sub" / "contrasts.jsonl"
    write_records(file, ROWS)
    before = file.read_bytes()
    with pytest.raises(RuntimeError):
        write_records(file, (row if i == 0 else _boom() for i, row in enumerate(ROWS)))
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_ids_and_seeds_are_stable_and_distinguish_order():
    assert content_id("a", 1) == content_id("a", 1) != content_id(1, "a")
    assert 0 <= seed_of("x") < 2**63


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ((1, None), "node 0 of the trunk has parent 1, not None"),
        ((None, None), "node 1 of the trunk has parent None, not 0"),
        ((None, 0, 0), "node 2 of the trunk has parent 0, not 1"),
        ((None, "0", 0), "node 1 is sampled and stands before the end of the trunk"),
        ((None, 0, "1"), "branch 2 has parent 1, after which no trunk node stands"),
        ((None, 0, "0", "2"), "branch 3 has parent 2"),
        ((None, 0, "-1"), "branch 2 has parent -1"),
    ],
)
def test_branches_fork_from_a_trunk_that_comes_first(parents: tuple[int | str | None, ...], message: str):
    """Parents of the trunk are numbers, those of branches text."""
    nodes = [Node(parent=None if p is None else int(p), text="", sampled=isinstance(p, str)) for p in parents]
    with pytest.raises(ValueError, match=message):
        Tree(id="t", sample="s", nodes=tuple(nodes), model="m", sampling=Sampling(), seed=0)


def test_a_verdict_has_a_failure_exactly_when_something_is_unjudged():
    with pytest.raises(ValueError, match="failure"):
        Verdict(subject="s", part="answer", judge="j", safe=None, effective=True)
    with pytest.raises(ValueError, match="failure"):
        Verdict(subject="s", part="answer", judge="j", safe=True, effective=True, failure="unparsed")


def _boom() -> Contrast:
    raise RuntimeError
