"""Croissant metadata of a release, with what the vocabulary of responsible AI asks (format version 1.0).

The JSON-LD context stands in the file, so that it is read without a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from srpo.publish.card import Release
from srpo.publish.licences import OTHER
from srpo.publish.material import Material
from srpo.publish.rows import VERSION, columns
from srpo.records import file_sha256

_CONFORMS: Final = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]

_TYPES: Final = {"level": "sc:Integer", "edited": "sc:Boolean", "rewritten": "sc:Integer"}
"""Columns that are not text; lists and structs of a row are left to the Parquet files."""

_NESTED: Final = ("steps", "paraphrases", "checks", "reviews", "picture", "calls")

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in ("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject")},
    **{name: f"cr:{name}" for name in ("fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath")},
    **{name: f"cr:{name}" for name in ("key", "md5", "parentField", "path", "recordSet", "references", "regex")},
    **{name: f"cr:{name}" for name in ("repeated", "replace", "samplingRate", "separator", "source", "subField")},
    "transform": "cr:transform",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}


def build_croissant(release: Release, out: Path) -> dict[str, Any]:
    """The metadata of a release whose Parquet files are in `out` already."""
    files = sorted((out / "data").glob("*.parquet"))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS,
        "name": release.name,
        "description": _description(release),
        "license": [_licence(name) for name in ([release.licence.licence] if _single(release) else release.licences)],
        "keywords": ["safety", "multimodal", "reasoning", "alignment"],
        "version": f"{VERSION.rpartition('/')[2]}.0.0",
        "citeAs": f"{release.name}, a dataset of minimal sets made with srpo",
        **_date(release),
        **_responsible(release),
        "distribution": [_file_set(), *(_file(path, out) for path in files)],
        "recordSet": [_splits(release), _records(release)],
    }


def _description(release: Release) -> str:
    sets = len({row.set for row in release.rows})
    return (
        f"{len(release.rows)} samples in {sets} minimal sets of picture and request.  In the cell `hazard` both are "
        "dangerous together and harmless apart; in the other cells nothing is dangerous.  Each sample has six "
        "reasoning steps and a reply."
    )


def _single(release: Release) -> bool:
    return release.licence.licence != OTHER


def _licence(name: str) -> str:
    """As the address of its text, which the format prefers, where that follows from the name."""
    plain = name.replace("-", "").replace(".", "").isalnum()
    return f"https://spdx.org/licenses/{name}.html" if plain and name != OTHER else name


def _date(release: Release) -> dict[str, str]:
    """The day of the last decision of a person, if there is one: the same inputs give the same file on any day."""
    days = sorted(review.time[:10] for review in release.material.reviews)
    return {"datePublished": days[-1]} if days else {}


def _responsible(release: Release) -> dict[str, Any]:
    """Fields of the vocabulary of responsible AI, as far as the data answer them."""
    material = release.material
    judges = sorted({vote.judge for row in release.rows for check in row.checks for vote in check.votes})
    models = sorted({call.model for row in release.rows for call in row.calls})
    people = len({review.reviewer for review in material.reviews})
    dropped = sum(material.left_out.values()) + len(material.rejections)
    return {
        "rai:dataCollection": _collection(material),
        "rai:dataCollectionType": ["Software Collection", *(["Manual Human Curator"] if people else [])],
        "rai:dataCollectionMissingData": f"{dropped} pictures and sets were dropped by checks, cleaning and review.  A "
        "check that could not be made counts as not passed.",
        "rai:dataCollectionRawData": "The pictures, upright and in RGB; texts as models wrote them and people edited "
        "them.",
        "rai:dataPreprocessingProtocol": _preprocessing(material),
        "rai:dataManipulationProtocol": "The open tier has no hypothesis, no unsafe reply and no reasons of judges."
        if release.tier == "open"
        else "Nothing is left out in this tier.",
        "rai:dataAnnotationProtocol": [_annotation(release)],
        "rai:dataAnnotationPlatform": sorted({review.source for review in material.reviews}) or ["none"],
        "rai:dataAnnotationAnalysis": _analysis(release),
        "rai:annotationsPerItem": _per_item(release),
        "rai:annotatorDemographics": [f"{people} people; nothing else is recorded of them."],
        "rai:machineAnnotationTools": [*models, *(judge for judge in judges if judge not in models)] or ["none"],
        "rai:dataBiases": [
            "Texts are those of the models named; pictures are those of one collection.",
            *release.warnings,
        ],
        "rai:dataUseCases": [
            "Training and evaluating vision-language models on danger that arises only from picture and request "
            "together, and on staying helpful where there is none."
        ],
        "rai:dataLimitations": [
            "Not evidence that a system is safe; not for filtering people's pictures or requests; judges err, and "
            "models of one family can share an error."
        ],
        "rai:dataSocialImpact": "A model trained on hazards alone may refuse too much; use the sets whole.  Replies "
        "that overlook a risk show harm and are in the full tier only.",
        "rai:personalSensitiveInformation": [
            "Pictures may show people, as their source allows.  Reviewers appear as numbers; their names, times and "
            "notes are not published."
        ],
    }


def _collection(material: Material) -> str:
    """Where pictures and texts come from."""
    drawn = sum(source.id in material.drawn for source in material.used_sources)
    pictures = f"{len(material.used_sources) - drawn} pictures were taken over, {drawn} drawn by a model from captions"
    people = "; people decided" if material.reviews else ""
    proposed = "Models proposed unsafe events, requests, replies and reasoning steps for them; judges checked these"
    return f"{pictures}, each with a licence.  {proposed}{people}."


def _preprocessing(material: Material) -> list[str]:
    near = "dropped by perceptual hash and word shingles"
    benchmarks = ", ".join(material.config.leakage)
    return [
        f"Near duplicates were {near}.",
        *([f"Samples near these benchmarks were {near}: {benchmarks}."] if benchmarks else []),
        "Splits go by minimal set and by groups of like pictures.",
    ]


def _annotation(release: Release) -> str:
    """What people did."""
    if not release.material.reviews:
        return "No person has decided."
    found = release.agreement
    return (
        "People keep, drop or edit a sample and can grade safety, difficulty and informativeness from 1 to 5; "
        f"{found.blind} of {found.votes} such votes were blind to others' votes and to checks.  An adjudicator decides "
        "disagreements; a set with a dropped cell is dropped."
    )


def _analysis(release: Release) -> list[str]:
    found = [
        f"{one.measure}, {one.statistic} of {len(one.reviewers)} reviewers: {one.value:.3f} (n = {one.n})"
        for one in release.agreement.figures
        if one.value is not None
    ]
    return found or ["Agreement could not be computed: it needs two reviewers of the same samples."]


def _per_item(release: Release) -> str:
    counts = [len(row.reviews) for row in release.rows]
    return f"{min(counts)} to {max(counts)} decisions of people, on average {sum(counts) / len(counts):.2f}"


def _file_set() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "parquet",
        "name": "parquet",
        "description": "All rows with their pictures.",
        "encodingFormat": "application/x-parquet",
        "includes": "data/*.parquet",
    }


def _file(path: Path, out: Path) -> dict[str, Any]:
    name = path.relative_to(out).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": path.name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file_sha256(path),
    }


def _splits(release: Release) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}],
        "data": [{"splits/name": split} for split in release.material.splits],
    }


def _records(release: Release) -> dict[str, Any]:
    names = [name for name in columns(release.tier) if name not in _NESTED]
    fields = [_field(name, _TYPES.get(name, "sc:Text")) for name in names]
    picture = _field("image", "sc:ImageObject")
    picture["source"] |= {"transform": {"jsonPath": "bytes"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One sample per row.",
        "key": {"@id": "samples/id"},
        "field": [picture, *fields],
    }


def _field(name: str, kind: str) -> dict[str, Any]:
    source = {"fileSet": {"@id": "parquet"}, "extract": {"column": name}}
    field = {"@type": "cr:Field", "@id": f"samples/{name}", "name": name, "dataType": kind, "source": source}
    return {**field, "references": {"field": {"@id": "splits/name"}}} if name == "split" else field
