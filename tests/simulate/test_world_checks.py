"""The table of checks on sets written by hand, where every figure can be told by looking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asking import WORLD, Asker, careless_reply, right_reply, right_steps, risky, tame

from srpo.data.folder import DatasetFolder
from srpo.errors import DataError
from srpo.records import write_records
from srpo.simulate.checks import CheckFigures, figures_of, measure_checks, percent, render_checks, share
from srpo.simulate.events import Event, events_of
from srpo.simulate.truth import Scenes, Truth, judge_draft
from srpo.steps import STEP_NAMES, join
from srpo.types import CATEGORIES, Cell, Check, CheckName, CheckState, Draft, DraftSet, Image, Rejection, Version
from srpo.world.pool import PoolPicture
from srpo.world.wishes import dangerous_ask


def image_of(picture: PoolPicture) -> Image:
    return Image(path=f"pictures/{picture.file}", sha256="0" * 64, width=96, height=96)


def draft_of(picture: PoolPicture, cell: Cell = "hazard", **changes: Any) -> Draft:
    """A right draft, unless it is changed."""
    scene = picture.scene
    trigger = (risky if cell == "hazard" else tame)(scene)[0]
    hazard = next(iter(WORLD.hazards_of(scene.names, trigger).values()), None)
    reply = right_reply(scene, trigger)
    right = {
        "question": WORLD.triggers[trigger].asks[0],
        "category": WORLD.hazards[hazard].category if hazard else None,
        "hypothesis": "An event." if hazard else None,
        "safe_reply": reply,
        "unsafe_reply": careless_reply(scene, trigger) if hazard else None,
        "reference": join([*right_steps(scene, trigger).values(), reply]),
    }
    return Draft.model_validate({"cell": cell, "source": "s", "image": image_of(picture), **right, **changes})


def other_category(picture: PoolPicture) -> str:
    return next(slug for slug in CATEGORIES if slug != draft_of(picture).category)


def check(name: CheckName, state: CheckState, shown: str = "") -> Check:
    return Check(name=name, state=state, shown=shown)


def test_a_right_draft_is_right_and_each_flaw_is_told_apart(asker: Asker) -> None:
    picture = asker.pictures("hazard")[0]
    scene, trigger = picture.scene, risky(picture.scene)[0]
    steps, reply, calm = right_steps(scene, trigger), right_reply(scene, trigger), tame(scene)[0]

    def path(**changed: str) -> Any:
        return join([*({**steps, **changed}[name] for name in STEP_NAMES), reply])

    assert judge_draft(draft_of(picture), scene).right and judge_draft(draft_of(picture, "benign_text"), scene).right
    flaws: list[tuple[dict[str, Any], set[str]]] = [
        ({"question": dangerous_ask(WORLD, trigger)}, {"text_alone_safe"}),
        ({"category": other_category(picture)}, {"category_right"}),
        ({"safe_reply": careless_reply(scene, trigger)}, {"safe_reply_right"}),
        ({"unsafe_reply": reply}, {"unsafe_reply_unsafe"}),
        ({"reference": path(strategy="Hm.")}, {"path_right", "path_complete"}),
        ({"reference": path(strategy=steps["visual"])}, {"path_right", "path_free_of_repeats"}),
        ({"reference": path(visual="The picture shows an apple.")}, {"path_right"}),
        ({"cell": "benign_image", "category": None}, {"as_labelled", "safe_reply_right"}),
        ({"question": "What is love?"}, set(Truth.__dataclass_fields__) - {"image_alone_safe"}),
    ]
    for changes, wrong in flaws:
        truth = judge_draft(draft_of(picture).model_copy(update=changes), scene)
        assert {name for name in Truth.__dataclass_fields__ if not getattr(truth, name)} == wrong, changes
    harmless = draft_of(picture, question=WORLD.triggers[calm].asks[0])
    assert not judge_draft(harmless, scene).as_labelled
    unsafe = asker.pictures("unsafe")[0]
    assert not judge_draft(draft_of(unsafe), unsafe.scene).image_alone_safe


def test_every_version_that_was_looked_at_is_an_event(asker: Asker, pool: Path) -> None:
    picture = asker.pictures("hazard")[0]
    trigger = risky(picture.scene)[0]
    right = draft_of(picture)
    steps = right_steps(picture.scene, trigger)
    repeated = join([*(steps | {"request": steps["visual"]}).values(), right.safe_reply])
    first = Version(
        question=dangerous_ask(WORLD, trigger),
        reference=repeated,
        reason="The request is not harmless by itself.\nSteps that leave out what they are for: visual.",
    )
    assert right.reference is not None
    condensed = Version(question=right.question, reference=right.reference, reason="condensed")
    lost = join([*(steps | {"strategy": "Hm."}).values(), right.safe_reply])
    checks = [check("redundancy", "ok"), check("completeness", "fail"), check("text_safety", "ok")]
    draft = draft_of(picture, versions=(first, condensed), reference=lost, checks=(*checks, check("path", "missing")))
    events = list(events_of([DraftSet(id="a", cells={"hazard": draft})], Scenes(pool, pool)))
    assert events == [
        Event("redundancy", "ok", True),
        Event("completeness", "fail", False),
        Event("text_safety", "fail", True),
        Event("redundancy", "ok", False),
        Event("completeness", "fail", False),
        Event("text_safety", "ok", False),
        Event("path", "missing", True),
    ]


def test_joint_checks_are_held_against_what_each_wants(asker: Asker, pool: Path) -> None:
    picture = asker.pictures("hazard")[0]
    hazard, benign = draft_of(picture), draft_of(picture, "benign_text")
    good = (check("joint", "ok", hazard.safe_reply), check("joint", "ok", str(hazard.unsafe_reply)))
    alike = hazard.model_copy(update={"safe_reply": hazard.unsafe_reply})
    cases = [
        (hazard.model_copy(update={"checks": good}), [("ok", False), ("ok", False)]),
        (alike.model_copy(update={"checks": (check("joint", "fail", alike.safe_reply),)}), [("fail", True)]),
        (alike.model_copy(update={"checks": good[1:]}), [("ok", True), ("ok", False)]),
        (benign.model_copy(update={"checks": (check("joint", "fail", benign.safe_reply),)}), [("fail", False)]),
        (benign.model_copy(update={"checks": (check("joint", "ok", hazard.safe_reply),)}), [("ok", True)]),
    ]
    for draft, wanted in cases:
        events = list(events_of([DraftSet(id="a", cells={draft.cell: draft})], Scenes(pool, pool)))
        assert [(event.state, event.defect) for event in events] == wanted


def test_figures_are_counted_by_hand() -> None:
    told: list[tuple[CheckState, bool]] = [("fail", True)] * 6 + [("fail", False)] * 2 + [("ok", True)] * 3
    events = [Event("path", *one) for one in [*told, *[("ok", False)] * 9, *[("missing", True)] * 4]]
    found = figures_of("path", events)
    assert found == CheckFigures(
        name="path",
        judged=20,
        missing=4,
        defects=9,
        precision=share([True] * 6 + [False] * 2),
        recall=share([True] * 6 + [False] * 3),
    )
    assert percent(found.recall) == "66.7 % (35.4 to 87.9), 6 of 9"
    assert percent(share([])) == "nothing to count"


def test_dropped_sets_count_as_they_were_when_they_were_dropped(asker: Asker, pool: Path, tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path)
    (tmp_path / "pictures").symlink_to(pool / "pictures")
    picture = asker.pictures("hazard")[0]
    good = DraftSet(id="a", cells={"hazard": draft_of(picture, checks=(check("path", "ok"),))})
    bad = DraftSet(id="b", cells={"hazard": draft_of(picture, category=other_category(picture))})
    worse = draft_of(picture, category=other_category(picture), checks=(check("text_only", "fail"),))
    write_records(folder.stage("query"), [bad, DraftSet(id="a", cells={"hazard": draft_of(picture)})])
    write_records(folder.stage("adjudication"), [good])
    dropped = bad.model_copy(update={"cells": {"hazard": worse}})
    write_records(
        folder.rejections,
        [Rejection(id="b", stage="adjudication", reason="text_only", detail="it was found unsafe", of=dropped)],
    )
    report = measure_checks(tmp_path, pool)
    by_name = {figures.name: figures for figures in report.checks}
    assert (by_name["text_only"].judged, by_name["text_only"].precision.hits) == (1, 0)
    assert (by_name["path"].judged, by_name["path"].defects) == (1, 0)
    assert [(row.stage, row.right.hits, row.right.n) for row in report.stages] == [
        ("query", 1, 2),
        ("adjudication", 1, 1),
    ]
    text = render_checks(report)
    assert "| text\\_only | 1 " in text and "whole minimal sets kept: 0" in text


def test_folders_that_do_not_fit_say_so(asker: Asker, pool: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sets"):
        measure_checks(tmp_path, pool)
    picture = asker.pictures("hazard")[0]
    write_records(DatasetFolder(tmp_path).stage("query"), [DraftSet(id="a", cells={"hazard": draft_of(picture)})])
    with pytest.raises(DataError, match="cannot read the picture"):
        measure_checks(tmp_path, pool)
