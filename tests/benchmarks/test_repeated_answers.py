"""Repeats by hand; what could not be judged is the third state."""

from __future__ import annotations

import pytest

from srpo.benchmarks.repeats import all_true, all_true_or_missing_false, any_true, share, share_or_missing_false


@pytest.mark.parametrize(
    ("values", "any_", "all_", "share_", "strict_all", "strict_share"),
    [
        ([True, True], True, True, 1.0, True, 1.0),
        ([True, False], True, False, 0.5, False, 0.5),
        ([False, None], None, False, 0.0, False, 0.0),
        ([True, None], True, None, 1.0, False, 0.5),
        ([None, None], None, None, None, False, 0.0),
    ],
)
def test_repeats(values, any_, all_, share_, strict_all, strict_share):
    assert (any_true(values), all_true(values), share(values)) == (any_, all_, share_)
    assert (all_true_or_missing_false(values), share_or_missing_false(values)) == (strict_all, strict_share)
