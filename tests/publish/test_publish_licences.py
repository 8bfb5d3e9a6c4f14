"""The licence of a whole, by hand."""

from __future__ import annotations

import pytest

from srpo.data.licences import TERMS
from srpo.publish.licences import OTHER, strictest


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["CC0-1.0", "CC-BY-4.0", "MIT"], "CC-BY-4.0"),
        (["CC-BY-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0"),
        (["CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-4.0", "CC-BY-NC-SA-4.0"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-2.0"], "CC-BY-SA-4.0"),
        (["Apache-2.0 AND MIT"], "Apache-2.0"),
        (["CC-BY-NC-4.0 OR MIT"], "MIT"),
        (["(CC-BY-NC-4.0 OR MIT) AND CC-BY-4.0"], "CC-BY-4.0"),
        (["cc-by-4.0", "CC BY 4.0"], "CC-BY-4.0"),
    ],
)
def test_the_strictest_holds(parts, whole):
    assert strictest(parts).licence == whole
    assert strictest(reversed(parts)).licence == whole


def test_what_is_shared_alike_does_not_go_with_stricter_terms():
    for parts in (
        ["CC-BY-SA-4.0", "CC-BY-NC-4.0"],
        ["CC-BY-SA-4.0 AND CC-BY-NC-4.0"],
        ["CC-BY-SA-4.0", "ODbL-1.0"],
        ["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-4.0"],
        ["ODbL-1.0", "CC-BY-NC-SA-4.0"],
    ):
        found = strictest(parts)
        assert found.licence == OTHER
        assert len(found.clash) == 2


@pytest.mark.parametrize(
    "text", ["", "mine", "CC-BY-ND-4.0", "MIT AND", "AND MIT", "(MIT", "MIT)", "MIT OR mine", "MIT WITH x", "(" * 9999]
)
def test_what_is_not_known_is_named_and_not_guessed(text):
    found = strictest(["MIT", text])
    assert (found.licence, found.unknown, found.demand) == (OTHER, (text,), None)


def test_every_licence_of_the_order_is_its_own_strictest():
    found = [strictest([name]) for name in TERMS]
    assert [one.licence for one in found] == list(TERMS)
    asked = {"by": "name", "sa": "share alike", "nc": "no commerce"}
    for one in found:
        words = {asked[term] for term in TERMS[one.licence] if term != "by" or len(TERMS[one.licence]) == 1}
        assert set(str(one.demand).split(", ")) == (words or {"none"})


def test_no_source_no_licence():
    with pytest.raises(ValueError, match="no source"):
        strictest([])
