"""A dataset folder to a published one: made beside its place, checked, and moved there when it is whole."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from srpo.errors import ConfigError
from srpo.export import FormatName
from srpo.progress import Bars
from srpo.publish.audit import Audit, audit
from srpo.publish.card import Release, render_card
from srpo.publish.columns import load
from srpo.publish.croissant import build_croissant
from srpo.publish.material import Material, read_material, read_samples
from srpo.publish.place import MANIFEST, Publication, beside, check_place, move
from srpo.publish.push import check_push, push
from srpo.publish.rows import VERSION, Tier, build_rows
from srpo.publish.trainers import TrainerKind, kind_of, write_for_trainer
from srpo.publish.write import check_splits, copy_pictures, write_rows, write_samples
from srpo.records import file_sha256, write_text
from srpo.review.agreement import agreement
from srpo.types import Record


@dataclass(frozen=True)
class PublishPlan:
    """What is wanted.

    - `run`, `out`: dataset folder, and the folder to write;
    - `unreviewed`: also samples that nobody has decided;
    - `audited`: with the shortcut audit, seeded by the dataset's seed;
    - `format`, `kind`: also rows for another trainer;
    - `repository`, `public`: also to a hub, for all to see or not;
    - `force`: replace files of a folder that holds others too.
    """

    run: Path
    out: Path
    tier: Tier = "full"
    unreviewed: bool = False
    audited: bool = True
    format: FormatName | None = None
    kind: TrainerKind | None = None
    repository: str | None = None
    public: bool = False
    force: bool = False


@dataclass(frozen=True)
class Published:
    """What was written, for the user to hear."""

    publication: Publication
    warnings: list[str]
    audit: Audit | None
    trained: tuple[str, ...] = ()
    address: str | None = None


def publish(plan: PublishPlan, bars: Bars) -> Published:
    """Publish a dataset folder.

    The same inputs give the same bytes.  Raises ConfigError for a wish that does not fit or a library that is not
    there, and DataError if the dataset is not finished or reviewed, a file is broken, `out` holds files that no
    publication wrote, or a hub refuses.
    """
    kind = kind_of(plan.format, plan.kind) if plan.format else None
    _check_wishes(plan)
    check_place(plan.out, plan.run, force=plan.force)
    material = read_material(plan.run, unreviewed=plan.unreviewed)
    check_splits(material.splits)
    if plan.repository is not None:
        check_push(material, plan.repository, public=plan.public)
    # A link stays one: what it leads to is what is replaced.
    out = plan.out.resolve()
    with beside(out) as folder:
        release, trained = _write(plan, kind, material, folder, bars)
        publication = _publication(release, folder)
        write_text(folder / MANIFEST, _json(publication))
        move(folder, out)
    done = Published(publication, release.warnings, release.audit, trained)
    if plan.repository is None:
        return done
    address = push(plan.out, [MANIFEST, *publication.files], plan.repository, public=plan.public)
    return Published(publication, release.warnings, release.audit, trained, address)


def audit_folder(path: Path, bars: Bars, seed: int | None = None) -> Audit:
    """Audit all samples of a dataset folder, whatever people say of them, with its seed unless one is given.

    Raises DataError if the dataset is not finished or a picture cannot be read, and ConfigError without scikit-learn.
    """
    load("sklearn")
    folder, config, samples = read_samples(path)
    return audit(samples, folder.path, config.seed if seed is None else seed, bars)


def _check_wishes(plan: PublishPlan) -> None:
    for name in ("datasets", "pyarrow", *(["sklearn"] if plan.audited else [])):
        load(name)
    if plan.public and plan.repository is None:
        raise ConfigError("--public says who may see what --push sends; give --push OWNER/NAME too")
    if plan.kind is not None and plan.format is None:
        raise ConfigError("--kind goes with --format; give the trainer's format too")


def _write(
    plan: PublishPlan, kind: TrainerKind | None, material: Material, folder: Path, bars: Bars
) -> tuple[Release, tuple[str, ...]]:
    """Write everything but the manifest into an empty folder."""
    count = len(material.samples)
    with bars("pictures", count, 0) as advance:
        images = copy_pictures(material, folder, advance)
    samples = write_samples(material, images, folder, plan.tier)
    rows = build_rows(material, images, plan.tier)
    with bars("rows", count, 0) as advance:
        write_rows(rows, material.splits, folder, plan.tier, advance)
    seed = material.config.seed
    found = audit(samples, folder, seed, bars) if plan.audited else None
    release = Release(material, rows, plan.tier, agreement(material.history, material.groups, seed), found)
    write_text(folder / "README.md", render_card(release))
    write_text(folder / "croissant.json", json.dumps(build_croissant(release, folder), indent=2) + "\n")
    if found is not None:
        write_text(folder / "audit.json", _json(found))
    if plan.format is None or kind is None:
        return release, ()
    made, exported = write_for_trainer(samples, folder, plan.format, kind)
    told = replace(exported, path=plan.out / made.path.name)
    return release, tuple(told.lines(replace(made, out=plan.out, copy_images=False)))


def _publication(release: Release, folder: Path) -> Publication:
    source = release.material.folder
    read = [source.config, source.samples, source.sets, source.sources, source.rendered]
    read += [source.reviews, source.rejections, source.usage]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Publication(
        name=release.name,
        columns=VERSION,
        tier=release.tier,
        licence=release.material.licence.licence,
        samples=len(release.rows),
        sets=len({row.set for row in release.rows}),
        splits=dict(Counter(row.split for row in release.rows)),
        inputs={path.name: file_sha256(path) for path in read if path.exists()},
        files={path.relative_to(folder).as_posix(): file_sha256(path) for path in files},
    )


def _json(record: Record) -> str:
    return json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
