"""The server: who is let in, what leaves, and what a decision over HTTP does."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from review_rows import HOSTILE, HOSTILE_EDIT, sample, tear_a_decision, write_dataset

from srpo.records import file_sha256, read_records, write_records
from srpo.review.answers import AgreementDesk
from srpo.review.app import MAX_BODY, build_app
from srpo.review.guard import Guard
from srpo.review.plan import Plan
from srpo.review.store import Store
from srpo.types import Image, Sample

PORT = 4321
HOST = f"127.0.0.1:{PORT}"


def page_of(store: Store, who: str = "Ada", role: str = "reviewer") -> TestClient:
    """A client that has opened the address with the token."""
    guard = Guard(PORT)
    client = TestClient(build_app(store, guard), base_url=f"http://{HOST}", raise_server_exceptions=False)
    client.headers.update({"X-Srpo-Reviewer": who, "X-Srpo-Role": role})
    assert client.get("/", params={"token": guard.token}).status_code == 200
    return client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write_dataset(tmp_path)
    with Store.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(store: Store) -> TestClient:
    return page_of(store)


def decision(item: dict[str, Any], words: str = "keep", **more: Any) -> dict[str, Any]:
    return {
        "key": secrets.token_hex(16),
        "version": item["version"],
        "sha256": item["sha256"],
        "decision": words,
        **more,
    }


def decide(client: TestClient, number: int, words: str = "keep", **more: Any) -> httpx.Response:
    item = client.get(f"/api/items/{number}").json()
    return client.post(f"/api/items/{number}/decide", json=decision(item, words, **more))


def test_the_address_with_the_token_sets_a_cookie_for_this_server_only(store: Store) -> None:
    guard = Guard(PORT)
    client = TestClient(build_app(store, guard), base_url=f"http://{HOST}", follow_redirects=False)
    for path in ("/", "/?token=x", "/?token=", "/static/main.js", "/image/1", "/api/session", "/api/items/1"):
        assert client.get(path, headers={"X-Srpo-Reviewer": "Ada"}).status_code == 403, path
    reply = client.get("/", params={"token": guard.token})
    assert reply.status_code == 303 and reply.headers["location"] == "/"
    cookie = reply.headers["set-cookie"].lower()
    assert cookie.startswith(f"srpo_review_{PORT}=") and "httponly" in cookie and "samesite=strict" in cookie
    assert guard.token not in cookie and "<script" in client.get("/").text
    assert guard.token not in repr(guard) and guard.session not in repr(guard)


def test_every_reply_carries_the_policy(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/image/1", "/api/session", "/nowhere", "/image/999"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": f"evil.example:{PORT}"}, 421),
        ({"Host": "127.0.0.1:80"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://localhost:{PORT}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Cookie": f"srpo_review_{PORT}=wrong"}, 403),
    ],
)
def test_requests_of_other_sites_change_nothing(
    store: Store, client: TestClient, headers: dict[str, str], status: int
) -> None:
    item = client.get("/api/items/1").json()
    given = {"Content-Type": "application/json", **headers}
    if "Cookie" in headers:
        client.cookies.clear()
    reply = client.post("/api/items/1/decide", content=json.dumps(decision(item)), headers=given)
    assert reply.status_code == status and store.reviews() == []


def test_the_header_that_other_sites_cannot_set_is_needed(client: TestClient) -> None:
    del client.headers["X-Srpo-Reviewer"]
    assert client.get("/api/session").status_code == 403 and client.get("/image/1").status_code == 200


def test_the_right_host_and_origin_pass(client: TestClient) -> None:
    own = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/session", headers=own).status_code == 200
    assert client.get("/api/session", headers={"Host": f"localhost:{PORT}"}).status_code == 200


def test_a_decision_is_saved_and_undone(store: Store, client: TestClient) -> None:
    more = {"safety": 5, "note": HOSTILE, "first_wrong_step": "answer", "seconds": 1.5}
    edit = {"question": "New?", "steps": {"visual": HOSTILE_EDIT}}
    saved = decide(client, 1, "edit", edit=edit, **more).json()
    assert saved["own"]["decision"] == "edit" and saved["own"]["edit"]["steps"] == {"visual": HOSTILE_EDIT}
    assert saved["own"]["note"] == HOSTILE and saved["progress"]["mine"] == 1
    assert store.reviews()[0].source == "srpo review" and store.reviews()[0].edit is not None
    assert client.get("/api/last").json() == {"number": 1}
    undone = client.post("/api/items/1/undo", json={"version": saved["version"]}).json()
    assert undone["own"] is None and undone["progress"]["mine"] == 0 and store.reviews()[0].withdrawn
    assert client.get("/api/last").json() == {"number": None}


def test_a_conflict_tells_what_stands(store: Store, client: TestClient) -> None:
    item = client.get("/api/items/1").json()
    bob = page_of(store, "Bob")
    assert decide(bob, 1, "drop").status_code == 200
    reply = client.post("/api/items/1/decide", json=decision(item))
    assert reply.status_code == 409 and "in the meantime" in reply.json()["error"]
    now = reply.json()["now"]
    assert [one["decision"] for one in now["votes"]] == ["drop"] and len(store.reviews()) == 1
    assert client.post("/api/items/1/decide", json=decision(now)).status_code == 200
    assert client.post("/api/items/1/undo", json={"version": item["version"]}).status_code == 409


def test_a_repeated_request_counts_once(store: Store, client: TestClient) -> None:
    body = decision(client.get("/api/items/1").json())
    first = client.post("/api/items/1/decide", json=body).json()
    assert client.post("/api/items/1/decide", json=body).json() == first and len(store.reviews()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "maybe"},
        {"key": "x"},
        {"version": -1},
        {"safety": 6},
        {"seconds": -1},
        {"seconds": 1e9},
        {"more": 1},
        {"sha256": "0" * 64},
        {"note": "x" * 6000},
        {"edit": {"question": "New?"}},
        {"decision": "edit", "edit": {"steps": {"visual": "x\nFinal answer: y"}}},
        {"decision": "edit", "edit": {"question": HOSTILE}},
        {"decision": "edit", "edit": {"steps": {"__proto__": "x"}}},
        {"first_wrong_step": "<b>"},
    ],
)
def test_requests_that_do_not_fit_are_refused(store: Store, client: TestClient, change: dict[str, Any]) -> None:
    body = decision(client.get("/api/items/1").json()) | change
    reply = client.post("/api/items/1/decide", json=body)
    assert reply.status_code == 400 and reply.json()["error"] and store.reviews() == []


def test_bodies_that_are_no_requests_are_refused(client: TestClient) -> None:
    kind = {"Content-Type": "application/json"}
    cases = (
        (b"", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b"\xff", 400),
        (b"x" * (MAX_BODY + 1), 413),
        (b'{"a":NaN}', 400),
    )
    for content, status in cases:
        assert client.post("/api/items/1/decide", content=content, headers=kind).status_code == status
    for path in ("/api/items/999", "/api/items/-1", "/api/items/x", f"/api/items/{2**80}", "/api/list?state=x"):
        assert client.get(path).status_code in (400, 404, 422), path
    assert client.get("/api/rows", params={"numbers": "1,x,²,99999999999999999999,2"}).json()["rows"][1]["number"] == 2


@pytest.mark.parametrize("name", ["", "%20", "A" * 81, "A%E2%80%AEb", "%00", "%ff%fe%0a"])
def test_names_that_cannot_be_shown_are_refused(store: Store, client: TestClient, name: str) -> None:
    assert client.get("/api/list", headers={"X-Srpo-Reviewer": name}).status_code == 400
    assert client.get("/api/list", headers={"X-Srpo-Role": "owner"}).status_code == 400


def test_only_named_reviewers_vote_where_there_are_names(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path, Plan(reviewers=("Ada", "Bob"), per_item=2)) as store:
        assert "not among the reviewers: Ada, Bob" in page_of(store, "Cleo").get("/api/list").json()["error"]
        assert page_of(store, "Cleo", "adjudicator").get("/api/list").json()["numbers"] == []
        blind = page_of(store).get("/api/items/1").json()
        assert (blind["votes"], blind["checks"], blind["outcome"]) == (None, None, None)
        cells = page_of(store).get("/api/items/1/set").json()["cells"]
        assert [one["checks"] for one in cells] == [None] * 4


def test_pictures_are_pictures_and_nothing_else(tmp_path: Path) -> None:
    good = write_dataset(tmp_path, 1)[0].image
    secret = tmp_path / "secret.txt"
    secret.write_text("<script>alert(1)</script>")
    drawing = tmp_path / "x.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    images = [
        good,
        good.model_copy(update={"path": str(tmp_path / good.path)}),
        good.model_copy(update={"sha256": "0" * 64}),
        *(Image(path=str(path), sha256=file_sha256(path), width=1, height=1) for path in (secret, drawing)),
        *(good.model_copy(update={"path": path}) for path in ("../../etc/passwd", "images", "a\x00b", "/dev/zero")),
    ]
    rows = [sample(image, f"g{n}") for n, image in enumerate(images)]
    write_records(tmp_path / "samples.jsonl", rows)
    with Store.open(tmp_path) as store:
        client = page_of(store)
        replies = [client.get(f"/image/{number}") for number in range(1, len(rows) + 1)]  # in the order of the file
    assert [reply.status_code for reply in replies] == [200, 200] + [400] * 7
    assert (
        replies[0].headers["content-type"] == "image/png" and replies[0].content == (tmp_path / good.path).read_bytes()
    )


def test_paths_of_the_client_lead_nowhere(client: TestClient) -> None:
    for path in (
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/static/..%2F..%2Fstore.py",
        "/static/",
        "/image/../x",
    ):
        reply = client.get(path)
        assert reply.status_code in (400, 404, 422) and "import" not in reply.text, path


def test_agreement_is_worked_out_beside_other_requests(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path, Plan(per_item=2)) as store:
        for who in ("Ada", "Bob"):
            client = page_of(store, who)
            for number in range(1, 13):
                assert decide(client, number, "drop" if number == 3 else "keep").status_code == 200
        deadline = time.monotonic() + 20
        while not (found := client.get("/api/agreement").json())["ready"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert found["figures"][0]["value"] == 1.0 and found["votes"] == 24 == found["blind"]


def test_agreement_gives_its_last_figures_while_others_decide(store: Store, client: TestClient) -> None:
    desk = AgreementDesk(store)
    while not desk.ask()["current"]:
        time.sleep(0.02)
    assert decide(client, 1).status_code == 200
    found = desk.ask()
    assert (found["ready"], found["current"], found["as_of"], found["votes"]) == (True, False, 0, 0)
    while not (found := desk.ask())["current"]:
        time.sleep(0.02)
    assert (found["as_of"], found["votes"]) == (1, 1)


def test_agreement_that_cannot_be_worked_out_is_an_error_and_not_a_wait(store: Store, client: TestClient) -> None:
    assert decide(client, 1).status_code == 200
    tear_a_decision(store)
    deadline = time.monotonic() + 20
    while (reply := client.get("/api/agreement")).status_code == 200:
        assert reply.json() == {"ready": False, "current": False} and time.monotonic() < deadline
        time.sleep(0.02)
    assert reply.json() == {"error": "the server failed; its log says why"}
    assert client.get("/api/agreement").json()["ready"] is False  # asked again, it is tried again


def test_a_failure_shows_no_inside(store: Store, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    store.query("UPDATE texts SET sample = 'torn'")
    reply = client.get("/api/items/1")
    assert reply.status_code == 500 and reply.json() == {"error": "the server failed; its log says why"}
    assert "JSONDecodeError" in caplog.text


def test_a_database_that_refuses_is_said(store: Store, client: TestClient) -> None:
    store.close()
    reply = client.get("/api/items/1")
    assert reply.status_code == 400 and "Cannot operate on a closed database" in reply.json()["error"]


def test_hostile_rows_are_sent_as_data(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1, HOSTILE)
    assert HOSTILE in read_records(tmp_path / "samples.jsonl", Sample)[0].question
    with Store.open(tmp_path) as store:
        reply = page_of(store).get("/api/items/1")
    assert reply.headers["content-type"] == "application/json" and HOSTILE in reply.json()["question"]


def test_an_item_without_a_picture_says_so(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    samples = [one.model_copy(update={"image": None}) for one in read_records(tmp_path / "samples.jsonl", Sample)]
    write_records(tmp_path / "samples.jsonl", samples)
    with Store.open(tmp_path) as store:
        client = page_of(store)
        assert client.get("/api/items/1").json()["image"] is None
        assert client.get("/image/1").status_code in (400, 404)
