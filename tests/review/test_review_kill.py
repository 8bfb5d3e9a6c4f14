"""A server that is killed in the middle of saving: what it confirmed is there, whole, and it starts again."""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
from review_process import client_of, start
from review_rows import write_dataset

from srpo.review.store import Store

KILLS = 2
PEOPLE = ("Ada", "Bob", "Cleo")


def save_until_it_dies(address: str, who: str, confirmed: set[tuple[str, int, str]]) -> None:
    """Decide items over and over; keeps what the server confirmed."""
    try:
        with closing(client_of(address, who)) as client:
            for turn in range(10_000):
                item = client.get(f"/api/items/{turn % 12 + 1}").json()
                body = {"key": secrets.token_hex(16), "version": item["version"], "sha256": item["sha256"]}
                note = secrets.token_hex(8)
                sent = {**body, "decision": "keep", "note": note}
                reply = client.post(f"/api/items/{item['number']}/decide", json=sent)
                if reply.status_code == 200:
                    confirmed.add((who, item["number"], note))
    except httpx.TransportError:
        return  # killed


def test_what_was_confirmed_survives_sigkill_at_any_point(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    seed = time.time_ns() % 2**32
    print(f"seed of the kills: {seed}")
    drawn, confirmed = random.Random(seed), set[tuple[str, int, str]]()
    for _ in range(KILLS):
        process, address = start(tmp_path)
        threads = [threading.Thread(target=save_until_it_dies, args=(address, who, confirmed)) for who in PEOPLE]
        for thread in threads:
            thread.start()
        time.sleep(drawn.uniform(0.3, 1.2))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        for thread in threads:
            thread.join(timeout=30)
    assert len(confirmed) > KILLS
    with Store.open(tmp_path) as store:
        numbers = {row["id"]: row["number"] for row in store.query("SELECT id, number FROM items")}
        reviews = store.reviews()
        kept = {(review.reviewer, numbers[review.sample], review.note) for review in reviews}
        assert confirmed <= kept and len(kept) == len(reviews)
        assert len(kept - confirmed) <= KILLS * len(PEOPLE)  # saved, and killed before the reply
        assert store.query("PRAGMA integrity_check")[0][0] == "ok"
        votes = store.query("SELECT sample, reviewer, number FROM votes")
        last = store.query("SELECT sample, reviewer, MAX(number) AS number FROM decisions GROUP BY sample, reviewer")
        assert sorted(map(tuple, votes)) == sorted(map(tuple, last))
