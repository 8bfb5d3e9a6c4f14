"""Small classifiers that see one modality: trained on some clusters of sets, asked about the others.

They need scikit-learn, which is imported when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from srpo.errors import DataError
from srpo.pictures import picture_of
from srpo.progress import Bars
from srpo.publish.columns import load
from srpo.types import Sample

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

VIEWS: Final = {
    "first_word": "first word of the request",
    "length": "length of the request",
    "text": "words of the request",
    "image": "pixels of the picture",
    "late_fusion": "sum of words and pixels",
}
"""What a classifier sees -> how it is called."""

FOLDS: Final = 5
_EDGE: Final = 8
"""Pixels of a side of the picture as the classifier sees it, in each of three colours."""
_BINS: Final = 8
"""Of the histogram of each colour."""
_TREES: Final = 100
_MOST_ODDS: Final = 4.0
"""Log odds are cut here before they are added, so that one modality cannot outvote the other by being sure."""


def held_out_odds(
    samples: Sequence[Sample], folder: Path, labels: Flags, clusters: Sequence[str], seed: int, bars: Bars
) -> dict[str, Floats]:
    """Log odds of `labels` by view, each from classifiers that saw no sample of the same cluster.

    Classes are weighted alike, so that 0 is undecided.  At least `FOLDS` clusters must hold each label.
    Raises ConfigError without scikit-learn, and DataError if a picture cannot be read.
    """
    questions = [sample.question for sample in samples]
    views: dict[str, tuple[Callable[[], Any], Any]] = {
        "first_word": (_of_words, np.array([[" ".join(q.split()[:1]).lower()] for q in questions])),
        "length": (_of_numbers, np.array([[len(q), len(q.split())] for q in questions], dtype=np.float64)),
        "text": (_of_texts, np.array(questions, dtype=object)),
        "image": (lambda: _of_pixels(seed), np.stack([_pixels(sample, folder) for sample in samples])),
    }
    folds = list(_folds(labels, clusters, seed))
    odds: dict[str, Floats] = {}
    with bars("audit", len(views) * FOLDS, 0) as advance:
        for name, (classifier, seen) in views.items():
            odds[name] = np.zeros(len(samples))
            for train, test in folds:
                model = classifier().fit(seen[train], labels[train])
                odds[name][test] = _log_odds(model.predict_proba(seen[test])[:, 1])
                advance(1)
    text, image = (np.clip(odds[name], -_MOST_ODDS, _MOST_ODDS) for name in ("text", "image"))
    return {**odds, "late_fusion": text + image}


def _folds(labels: Flags, clusters: Sequence[str], seed: int) -> Any:
    selection = load("sklearn.model_selection")
    split = selection.GroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed % 2**32)
    return split.split(labels, labels, groups=np.asarray(clusters))


def _log_odds(probability: Floats) -> Floats:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


def _regression() -> Any:
    linear = load("sklearn.linear_model")
    return linear.LogisticRegression(class_weight="balanced", max_iter=1000)


def _of_words() -> Any:
    pipeline, preprocessing = load("sklearn.pipeline"), load("sklearn.preprocessing")
    return pipeline.make_pipeline(preprocessing.OneHotEncoder(handle_unknown="ignore"), _regression())


def _of_numbers() -> Any:
    pipeline, preprocessing = load("sklearn.pipeline"), load("sklearn.preprocessing")
    return pipeline.make_pipeline(preprocessing.StandardScaler(), _regression())


def _of_texts() -> Any:
    """Words and pairs of words; what white space parts is a word, so that no request is without one."""
    pipeline, text = load("sklearn.pipeline"), load("sklearn.feature_extraction.text")
    words = text.TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True)
    return pipeline.make_pipeline(words, _regression())


def _of_pixels(seed: int) -> Any:
    ensemble = load("sklearn.ensemble")
    return ensemble.RandomForestClassifier(
        n_estimators=_TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed % 2**32, n_jobs=1
    )


def _pixels(sample: Sample, folder: Path) -> Floats:
    """The picture at 8 x 8 pixels, and how often each shade of each colour occurs in it."""
    path = folder / picture_of(sample).path
    try:
        with PILImage.open(BytesIO(path.read_bytes())) as picture:
            whole = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable picture ({error}), but sample {sample.id} shows it") from None
    small = np.asarray(whole.resize((_EDGE, _EDGE), PILImage.Resampling.BOX), dtype=np.float64).ravel() / 255
    shades = np.asarray(whole).reshape(-1, 3)
    shares = [np.histogram(shades[:, i], bins=_BINS, range=(0, 256))[0] / len(shades) for i in range(3)]
    return np.concatenate([small, *shares])
