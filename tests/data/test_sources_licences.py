"""Which licences forbid a picture's use, and which of several is the strictest."""

from __future__ import annotations

import pytest

from srpo.benchmarks import BENCHMARKS
from srpo.data.licences import forbids, strictest


@pytest.mark.parametrize(
    ("licence", "word"),
    [
        ("CC-BY-ND-4.0", "works made from it"),
        ("CC BY-NC-ND 2.0", "works made from it"),
        ("Creative Commons Attribution-NoDerivs", "works made from it"),
        ("own terms: no derivatives", "works made from it"),
        ("CC-BY-4.0, no training", "training"),
        ("not to be used for training of models", "training"),
        ("Training of machine learning models is prohibited", "training"),
        ("noAI", "AI"),
        ("MOSSBench", "MOSSBench"),
        ("\u00a9 2020 Ann. All rights reserved.", "permission"),
    ],
)
def test_what_forbids_use(licence, word):
    assert word in (forbids(licence) or "")


@pytest.mark.parametrize(
    "licence",
    [
        "CC0-1.0",
        "CC-BY-4.0",
        "CC-BY-NC-SA-4.0",
        "Apache-2.0 AND MIT",
        "LicenseRef-own",
        "training allowed",
        "Finland Open Data",
        "CC-BY-ND-4.0 OR CC-BY-4.0",
    ],
)
def test_what_does_not(licence):
    assert forbids(licence) is None


def test_benchmarks_that_forbid_training_are_refused_as_sources():
    forbidden = [one for one in BENCHMARKS.values() if one.training_forbidden]
    assert forbidden and all(forbids(one.licence) for one in forbidden)


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["CC-BY-4.0", "CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
        (["CC-BY-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0"),
        (["CC-BY-NC-SA-4.0", "CC BY-NC 4.0", "MIT"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-NC-SA-4.0", "CC-BY-SA-4.0", "CC BY-NC 4.0"], "CC-BY-NC-SA-4.0 AND CC-BY-SA-4.0"),
        (["CC-BY-NC-SA-4.0", "ODbL-1.0"], "CC-BY-NC-SA-4.0 AND ODbL-1.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-2.0"], "CC-BY-SA-4.0"),
        (["CC-BY-NC-4.0 OR CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
        (["Apache-2.0 OR MIT"], "Apache-2.0 OR MIT"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0 AND CC-BY-SA-4.0"),
        (["MIT", "Apache-2.0"], "Apache-2.0 AND MIT"),
        (["house terms", "CC0-1.0"], "CC0-1.0 AND house terms"),
        (["MIT OR GPL-3.0", "CC-BY-4.0"], "CC-BY-4.0 AND (MIT OR GPL-3.0)"),
    ],
)
def test_strictest(licences, expected):
    assert strictest(licences) == strictest(licences[::-1]) == expected


def test_strictest_of_nothing():
    with pytest.raises(ValueError, match="at least one"):
        strictest([])
