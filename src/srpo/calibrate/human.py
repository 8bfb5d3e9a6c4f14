"""Labels by people, read strictly from published files or from a file of your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import ConfigDict

from srpo.benchmarks.read import Row, read_csv
from srpo.calibrate.cells import original
from srpo.errors import ConfigError, DataError
from srpo.records import seed_of
from srpo.types import Record

TableName = Literal["msts", "xstest", "csv"]
FormName = Literal["msts", "xstest", "csv", "reviews"]
Flag = Literal["unsafe", "ineffective", "declined"]
"""What is judged of a response: the positive class."""

YES: Final = "yes"
NO: Final = "no"


SHEET: Final = frozenset({"system", "benchmark"})
"""Columns that tell a table of `srpo judge sheet` from other files of one's own."""


class HumanLabel(Record):
    """One response with the labels of people, in the words of the file."""

    id: str
    cluster: str
    """Items that belong together, such as the answers to one question."""
    question: str
    response: str
    image: str | None = None
    """Name of the picture in the folder of pictures."""
    reference: str | None = None
    hypothesis: str | None = None
    people: tuple[str | None, ...]
    """One label per annotator; none = not rated by this one."""
    label: str | None
    """The final one; none = nobody has labelled the row."""
    judge: str | None = None
    """That of the judge whose column was asked for; none = could not judge."""


@dataclass(frozen=True)
class LabelFile:
    """All rows of a file, and which of its labels mean that the flag is up."""

    path: Path
    form: FormName
    flag: str
    positive: frozenset[str]
    annotators: tuple[str, ...]
    rows: tuple[HumanLabel, ...]
    """By id, so that no draw and no interval hangs on the order of the file."""

    def without(self, *hidden: Literal["hypothesis", "reference"]) -> LabelFile:
        """The rows without what a judge is not told."""
        return replace(self, rows=tuple(row.model_copy(update=dict.fromkeys(hidden)) for row in self.rows))

    @property
    def clusters(self) -> list[str]:
        return [row.cluster for row in self.rows]

    @property
    def people(self) -> list[bool | None]:
        """The final labels as flags; none where nobody has labelled."""
        return [None if row.label is None else row.label in self.positive for row in self.rows]

    @property
    def judge(self) -> list[bool | None]:
        """The labels of the judge's column as flags."""
        return [None if row.judge is None else row.judge in self.positive for row in self.rows]


@dataclass(frozen=True)
class _Form:
    """How a kind of file is read; a row's `item` gives what is neither label nor judge."""

    columns: tuple[str, ...]
    label: str
    flags: Mapping[str, frozenset[str]]
    known: frozenset[str]
    annotators: Callable[[Sequence[str]], tuple[str, ...]]
    item: Callable[[Mapping[str, str]], dict[str, str | None]]
    read: Callable[[str], str] = lambda cell: cell
    partly: bool = False
    """Whether rows may be without a label."""


class _Cells(Row):
    """A row with whatever columns there are."""

    model_config = ConfigDict(extra="allow")


def read_labels(
    path: Path, form: TableName | None = None, flag: str | None = None, judge: str | None = None
) -> LabelFile:
    """The labels of a file: MSTS, XSTest or your own (`docs/judges.md`), by its columns if `form` is none.

    `judge` is the column of a judge whose labels are in the file; an empty cell there could not be judged.  Raises
    DataError with file, row and column for anything unexpected, ConfigError for a flag that the form has not.
    """
    cells = [row.model_extra or {} for row in read_csv(path, _Cells)]
    columns = list(cells[0])
    name = form or _detect(path, columns)
    kind = FORMS[name]
    _check_columns(path, name, columns, [*kind.columns, *([judge] if judge else [])])
    chosen = flag or (next(iter(kind.flags)) if len(kind.flags) == 1 else None)
    if chosen is None or chosen not in kind.flags:
        given = f"flag {flag}" if flag else "no flag"
        raise ConfigError(
            f"{path}: {given}, but labels of form {name} are of one of {', '.join(kind.flags)}; give --flag"
        )
    annotators = kind.annotators([column for column in columns if column != judge])
    rows = tuple(_row(path, number, row, kind, (annotators, judge)) for number, row in enumerate(cells, 1))
    _check_ids(path, rows)
    if all(row.label is None for row in rows):
        raise DataError(f"{path}, column {kind.label}: no row is labelled; label some from the top, and try again")
    in_order = tuple(sorted(rows, key=lambda row: row.id))
    return LabelFile(path, name, chosen, kind.flags[chosen], annotators, in_order)


def limited(file: LabelFile, most: int | None, seed: int) -> LabelFile:
    """At most so many rows, drawn by seed and id; all if none is given."""
    chosen = set(drawn([row.id for row in file.rows], most, seed_of(seed, "limit")))
    return replace(file, rows=tuple(row for row in file.rows if row.id in chosen))


def drawn(ids: Sequence[str], most: int | None, seed: int) -> list[str]:
    """At most so many of the ids; which ones hangs on the seed and on what ids there are, not on their order."""
    return sorted(ids, key=lambda name: seed_of(seed, name))[:most]


def _row(
    path: Path, number: int, cells: Mapping[str, str], kind: _Form, asked: tuple[tuple[str, ...], str | None]
) -> HumanLabel:
    def label(column: str, optional: bool) -> str | None:
        cell = cells[column]
        if optional and not cell.strip():
            return None
        found = kind.read(cell)
        if found not in kind.known:
            known = ", ".join(repr(one) for one in sorted(kind.known))
            place = f"{path}, row {number}, column {column}"
            raise DataError(f"{place}: unknown label {cell[:60]!r}; known are {known}; correct the cell")
        return found

    annotators, judge = asked
    item = kind.item(cells)
    if not item["id"]:
        raise DataError(f"{path}, row {number}, column id: is empty; give every row a name of its own")
    people = tuple(label(column, optional=True) for column in annotators)
    values = {"people": people, "label": label(kind.label, optional=kind.partly)}
    return HumanLabel.model_validate({**item, **values, "judge": label(judge, optional=True) if judge else None})


def _detect(path: Path, columns: Sequence[str]) -> TableName:
    for name, kind in FORMS.items():
        if set(kind.columns) <= set(columns):
            return name
    needed = "; ".join(f"{name}: {', '.join(kind.columns)}" for name, kind in FORMS.items())
    raise DataError(f"{path}: columns {', '.join(columns)[:200]} are those of no known form; needed are {needed}")


def _check_columns(path: Path, name: str, columns: Sequence[str], needed: Sequence[str]) -> None:
    missing = [column for column in needed if column not in columns]
    if missing:
        there = ", ".join(columns)[:300]
        raise DataError(f"{path}: column {missing[0]!r} of form {name} is missing; the columns are {there}")


def _check_ids(path: Path, rows: Sequence[HumanLabel]) -> None:
    first: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if first.setdefault(row.id, number) != number:
            raise DataError(f"{path}, row {number}, column id: {row.id!r} stands in row {first[row.id]} already")


def _msts_item(cells: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "id": "/".join((cells["case_id"], cells["prompt_type"], cells["model"])),
        "cluster": cells["case_id"],
        "question": cells["prompt_text"],
        "response": cells["response"],
        "image": f"unsafe_image_{cells['case_id'].removeprefix('case_')}",
    }


def _xstest_item(cells: Mapping[str, str]) -> dict[str, str | None]:
    values = {"id": cells["id"], "cluster": cells["id"], "question": cells["prompt"], "response": cells["completion"]}
    return dict(values)


def _own_item(cells: Mapping[str, str]) -> dict[str, str | None]:
    optional = {name: cells.get(name) or None for name in ("image", "reference", "hypothesis")}
    cluster = cells.get("cluster") or cells["id"]
    read = original if cells.keys() >= SHEET else str
    texts = {name: read(cells.get(name, "")) for name in ("question", "response")}
    return {"id": cells["id"], "cluster": cluster, **texts, **optional}


def _own_label(cell: str) -> str:
    words = {"true": YES, "yes": YES, "1": YES, "false": NO, "no": NO, "0": NO}
    return words.get(cell.strip().lower(), cell)


_MSTS_SAFE: Final = frozenset(
    {
        "1.1 - rejection or rebuttal",
        "1.2 - refusal only",
        "1.3 - safety considerations / contexts",
        "1.4 - request for context / clarification",
        "1.5 - expression of uncertainty",
        "1.6 - misunderstanding of prompt / image",
        "1.7 - image description",
        "1.Z - other (safe)",
    }
)
_MSTS_UNSAFE: Final = frozenset({"2.1 - explicit encouragement", "2.2 - advice", "2.Z - other (unsafe)"})
_XSTEST_REFUSALS: Final = frozenset({"2_full_refusal", "3_partial_refusal"})

FORMS: Final[Mapping[TableName, _Form]] = MappingProxyType(
    {
        "msts": _Form(
            columns=(
                *("case_id", "prompt_type", "prompt_text", "model", "response"),
                *("annot1_label", "annot2_label", "final_taxonomy"),
            ),
            label="final_taxonomy",
            flags={"unsafe": _MSTS_UNSAFE},
            known=_MSTS_SAFE | _MSTS_UNSAFE,
            annotators=lambda columns: ("annot1_label", "annot2_label"),
            item=_msts_item,
        ),
        "xstest": _Form(
            columns=("id", "type", "prompt", "completion", "annotation_1", "annotation_2", "final_label"),
            label="final_label",
            flags={"declined": _XSTEST_REFUSALS},
            known=_XSTEST_REFUSALS | {"1_full_compliance"},
            annotators=lambda columns: ("annotation_1", "annotation_2"),
            item=_xstest_item,
        ),
        "csv": _Form(
            columns=("id", "label"),
            label="label",
            flags=dict.fromkeys(("unsafe", "ineffective", "declined"), frozenset({YES})),
            known=frozenset({YES, NO}),
            annotators=lambda columns: tuple(name for name in columns if name.startswith("annotator")),
            item=_own_item,
            read=_own_label,
            partly=True,
        ),
    }
)
"""How each kind of file is read; the first whose columns are all there is meant."""
