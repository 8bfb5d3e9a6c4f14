"""Agreement beyond chance against published and hand-worked values."""

from __future__ import annotations

import pytest

from srpo.stats import cohens_kappa, krippendorff_alpha

_ = None
KRIPPENDORFF = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3),
    (_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _),
)
"""The example of four raters and twelve units in the source of the statistic."""

A = [True] * 25 + [False] * 25
B = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15


def test_kappa_gives_the_known_value() -> None:
    kappa = cohens_kappa(A, B)
    assert kappa.value == pytest.approx(0.4)  # p_o = 35/50, p_e = 0.5
    assert kappa.confusion == {(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15}
    assert kappa.interval is not None
    assert kappa.interval.low == pytest.approx(0.15, abs=0.03) and kappa.interval.high == pytest.approx(0.65, abs=0.03)


def test_kappa_of_three_classes() -> None:
    a, b = list("aabbcc"), list("aabbcb")  # p_o = 5/6, p_e = (2*2 + 2*3 + 2*1)/36 = 1/3
    assert cohens_kappa(a, b).value == pytest.approx(0.75)


def test_kappa_counts_clusters_and_not_rows() -> None:
    pairs = [str(i) for i in range(50)]
    once, twice = cohens_kappa(A, B, pairs, seed=1), cohens_kappa(A * 2, B * 2, pairs * 2, seed=1)
    assert once.interval == twice.interval
    assert cohens_kappa(A, B, ["one"] * 50).interval is None


def test_kappa_of_one_label_is_none() -> None:
    assert cohens_kappa([True, True], [True, True])[:2] == (None, None)
    assert cohens_kappa([], [])[:2] == (None, None)


def test_perfect_agreement_has_no_spread_and_so_no_interval() -> None:
    assert cohens_kappa([True, False] * 20, [True, False] * 20)[:2] == (1.0, None)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_gives_the_published_values(level: str, value: float) -> None:
    alpha = krippendorff_alpha(KRIPPENDORFF, level, resamples=200)  # type: ignore[arg-type]
    assert alpha.value == pytest.approx(value, abs=5e-4)
    assert alpha.interval is not None and 0 < alpha.interval.low < alpha.value < alpha.interval.high <= 1


def test_alpha_without_contrast_or_pairs_is_none() -> None:
    assert krippendorff_alpha([[1, 1], [1, 1]]) == (None, None)
    assert krippendorff_alpha([[1, _], [_, 2]]) == (None, None)
    assert krippendorff_alpha([]) == (None, None)


def test_alpha_draws_clusters_of_units() -> None:
    raters = [[True, False, True, False], [True, False, False, False]]
    assert krippendorff_alpha(raters, clusters=["x"] * 4).interval is None
    assert krippendorff_alpha(raters, resamples=100).interval is not None


def test_raters_must_have_the_same_units() -> None:
    with pytest.raises(ValueError, match="2 and 1 labels"):
        cohens_kappa([True, False], [True])
    with pytest.raises(ValueError, match="same units"):
        krippendorff_alpha([[1, 2], [1]])
