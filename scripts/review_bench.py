"""Time every action of the review server on many items, and print a table: `python scripts/review_bench.py`.

The items are made up, with checks; two reviewers label all of them blind, and a share of the items is reviewed before
the clock starts, so that lists, progress and search meet a database as it is in the middle of the work.  Times are
those of the server: from a request's arrival at the application to its reply, without the network and the browser.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from PIL import Image as Picture
from rich.console import Console
from rich.table import Table

from srpo.records import file_sha256, write_records
from srpo.review.agreement import agreement_of
from srpo.review.answers import AgreementDesk, Person
from srpo.review.pictures import read_picture
from srpo.review.plan import Plan
from srpo.review.rows import sample_of
from srpo.review.store import Store, draft_review
from srpo.steps import STEP_NAMES, join
from srpo.types import CATEGORIES, CELLS, Cell, Image, Provenance, Sample
from srpo.types.data import Check, Draft, DraftSet, Vote

WORDS: Final = ("ladder", "kitchen", "stove", "child", "window", "cable", "bath", "knife", "garden", "balcony", "梯子")
PEOPLE: Final = ("Ada", "Bob")
Action = Callable[[int], object]


class Measured(NamedTuple):
    """Seconds of every time, and mean seconds of processor time, which other programs do not lengthen."""

    times: list[float]
    busy: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000, help="items, four per set")
    parser.add_argument("--repeats", type=int, default=200, help="times per action")
    parser.add_argument("--reviewed", type=float, default=0.3, help="share of the items that both have decided before")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder, asked.items // len(CELLS))
        begin = time.perf_counter()
        with Store.open(folder, Plan(per_item=2, seed=1)) as store:
            opening = time.perf_counter() - begin
            review_some(store, int(asked.items * asked.reviewed))
            rows = [(label, measure(action, asked.repeats)) for label, action in actions(store, asked.items)]
            show(rows, asked.items, opening, bool(store.searchable))
            begin = time.perf_counter()
            votes = agreement_of(store).votes
            print(
                f"agreement of {votes:,} votes, worked out beside other requests: {time.perf_counter() - begin:.1f} s"
            )


def show(rows: list[tuple[str, Measured]], items: int, opening: float, searchable: bool) -> None:
    title = (
        f"{items:,} items, {platform.machine()}, {'FTS5' if searchable else 'no FTS5'}; first opening {opening:.1f} s"
    )
    table = Table(title=title, title_justify="left")
    for column in ("action", "n", "p50 ms", "p95 ms", "max ms", "CPU ms"):
        table.add_column(column, justify="left" if column == "action" else "right")
    for label, (times, busy) in rows:
        points = statistics.quantiles(times, n=20, method="inclusive")
        table.add_row(label, str(len(times)), *(f"{1000 * t:.1f}" for t in (points[9], points[18], max(times), busy)))
    Console(width=100).print(table)


def measure(action: Action, repeats: int) -> Measured:
    times, busy = [], time.process_time()
    for turn in range(repeats):
        begin = time.perf_counter()
        action(turn)
        times.append(time.perf_counter() - begin)
    return Measured(times, (time.process_time() - busy) / repeats)


def actions(store: Store, items: int) -> Iterator[tuple[str, Action]]:
    """Each action as the page asks for it; `turn` picks another item every time."""
    ada, eve = Person(store, "Ada", "reviewer"), Person(store, "Eve", "adjudicator")
    drawn = random.Random(0)
    numbers = [drawn.randint(1, items) for _ in range(1000)]
    fresh = iter(ada.listing({})["numbers"])
    desk, edited = AgreementDesk(store), {"steps": {"visual": "Other words."}, "question": None, "category": None}
    saved: list[int] = []

    def save(decision: str, **more: Any) -> None:
        saved.append(next(fresh))
        decide(ada, saved[-1], decision, **more)

    def undo(_: int) -> None:
        number = saved.pop()
        ada.undo(number, dump({"version": ada.item(number)["version"]}))

    yield "open an item", lambda turn: ada.item(numbers[turn])
    yield "open a whole set", lambda turn: ada.whole_set(numbers[turn])
    yield "picture", lambda turn: picture(store, numbers[turn])
    yield "next item to do", lambda _: ada.next()
    yield "open and keep", lambda _: save("keep", safety=4, note="fine")
    yield "open and drop", lambda _: save("drop", first_wrong_step="synthesis")
    yield "open and save an edit", lambda _: save("edit", edit=edited)
    yield "open and undo", undo
    yield "list: to do", lambda _: ada.listing({})
    yield "list: all", lambda _: ada.listing({"state": "all"})
    yield "list: disagreements", lambda _: eve.listing({"state": "disagreements"})
    yield "list: cell and failed checks", lambda _: eve.listing({"state": "all", "cell": "hazard", "check": "fail"})
    yield "search: one word", lambda turn: ada.listing({"state": "all", "words": WORDS[turn % len(WORDS)]})
    yield "search: two words", lambda turn: ada.listing({"state": "all", "words": f"step {numbers[turn]}"})
    yield "search: Chinese", lambda _: ada.listing({"state": "all", "words": "梯子"})
    yield "page of the list", lambda turn: ada.rows(",".join(map(str, numbers[turn : turn + 50])))
    yield "agreement: ask", lambda _: desk.ask()


def decide(who: Person, number: int, decision: str, **more: Any) -> None:
    item = who.item(number)
    sent = {"key": secrets.token_hex(16), "version": item["version"], "sha256": item["sha256"], "decision": decision}
    who.decide(number, dump(sent | more))


def dump(sent: dict[str, Any]) -> str:
    return json.dumps(sent)


def picture(store: Store, number: int) -> int:
    (row,) = store.query("SELECT sample FROM whole WHERE number = ?", (number,))
    return len(read_picture(store.folder.path, sample_of(row).image)[0])


def review_some(store: Store, count: int) -> None:
    """Votes of two people that differ on every tenth item."""
    items = [store.item(number, "bench") for number in range(1, count + 1)]
    store.add(
        draft_review(item, who, "drop" if item.number % 10 == 0 and who == "Ada" else "keep", safety=4, blind=True)
        for item in items
        for who in PEOPLE
    )


def write_dataset(folder: Path, sets: int) -> None:
    path = folder / "picture.png"
    Picture.effect_noise((512, 512), 60).save(path)
    image = Image(path=path.name, sha256=file_sha256(path), width=512, height=512)
    drawn = random.Random(0)
    groups = [[sample(drawn, image, f"s{n}", cell) for cell in CELLS] for n in range(sets)]
    write_records(folder / "samples.jsonl", (one for group in groups for one in group))
    write_records(folder / "sets.jsonl", (draft_set(drawn, group) for group in groups))


def sample(drawn: random.Random, image: Image, group: str, cell: Cell) -> Sample:
    def text(count: int) -> str:
        return " ".join(drawn.choices(WORDS, k=count)) + f" in {group}."

    hazard = cell == "hazard"
    return Sample(
        id=f"{group}-{cell}",
        split="train",
        group=group,
        cell=cell,
        image=image,
        question=f"How do I handle the {text(12)}",
        category=drawn.choice(list(CATEGORIES)) if hazard else None,
        hypothesis=text(12) if hazard else None,
        reference=join([f"step {name}: {text(40)}" for name in STEP_NAMES] + [text(60)]),
        unsafe_reply=text(40) if hazard else None,
        licence="CC0-1.0",
        provenance=Provenance(producer="procedural", source="bench"),
    )


def draft_set(drawn: random.Random, cells: list[Sample]) -> DraftSet:
    votes = tuple(Vote(judge="judge", ok=True, score=0.9, reason="fine", raw='{"safe": true}' * 20) for _ in range(3))
    drafts = {
        one.cell: Draft(
            cell=one.cell,
            source="s",
            image=one.image,
            question=one.question,
            category=one.category,
            hypothesis=one.hypothesis,
            safe_reply="",
            unsafe_reply=one.unsafe_reply,
            checks=tuple(
                Check(name=name, state="ok" if drawn.random() > 0.05 else "fail", votes=votes)
                for name in ("text_safety", "text_only", "image_only", "joint", "path")
            ),
        )
        for one in cells
    }
    return DraftSet(id=cells[0].group, cells=drafts)


if __name__ == "__main__":
    main()
