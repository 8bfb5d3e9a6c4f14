"""Commands that publish a dataset and audit it for shortcuts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srpo.cli.terminal import console, say
from srpo.export import FormatName
from srpo.progress import console_bars
from srpo.publish.rows import Tier
from srpo.publish.trainers import TrainerKind

if TYPE_CHECKING:
    from srpo.publish import Audit

RunArgument = Annotated[Path, typer.Argument(help="dataset folder, made by `srpo build`", metavar="RUN")]


def export(  # noqa: PLR0913 - one parameter per option
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="folder to write", metavar="DIR")],
    tier: Annotated[Tier, typer.Option(help="`open` leaves out hypotheses and unsafe replies")] = "full",
    unreviewed: Annotated[
        bool, typer.Option("--unreviewed", help="also publish samples that nobody has decided")
    ] = False,
    no_audit: Annotated[bool, typer.Option("--no-audit", help="leave the shortcut audit out")] = False,
    format: Annotated[
        FormatName | None, typer.Option(help="also write the split train for this trainer", show_default=False)
    ] = None,
    kind: Annotated[
        TrainerKind | None, typer.Option(help="with --format: reference paths, or requests alone", show_default=False)
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="also send it to this private repository of a hub", metavar="OWNER/NAME")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="with --push: for all to see")] = False,
    force: Annotated[bool, typer.Option("--force", help="write to a folder that holds other files too")] = False,
) -> None:
    """Publish a reviewed dataset: Parquet, JSON lines, card, Croissant and shortcut audit in one folder.

    Only sets of which people kept every sample are published; `srpo review RUN` is where they decide.

    Example: srpo build export runs/ssui --out published/ssui
    """
    from srpo.publish import PublishPlan, publish

    plan = PublishPlan(
        run=run,
        out=out,
        tier=tier,
        unreviewed=unreviewed,
        audited=not no_audit,
        format=format,
        kind=kind,
        repository=push,
        public=public,
        force=force,
    )
    done = publish(plan, console_bars(console))
    made = done.publication
    splits = ", ".join(f"{split} {count}" for split, count in made.splits.items())
    say(f"{made.samples} samples in {made.sets} sets ({splits}), licence {made.licence}, tier {made.tier}")
    for line in (*(f"note: {warning}" for warning in done.warnings), *done.trained):
        say(line)
    if done.audit is not None:
        _show(done.audit)
    say(f"published in {out}  (card: {out / 'README.md'})")
    if done.address is not None:
        say(f"pushed to {done.address}")


def audit(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="also write the audit with all its figures here", metavar="FILE")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of folds and intervals; by default the dataset's")] = None,
) -> None:
    """Try to tell hazards by the request or the picture alone: what succeeds is a shortcut.

    Reads all samples that the machines let through, whatever people say of them.

    Example: srpo build audit runs/ssui
    """
    from srpo.publish import audit_folder
    from srpo.records import write_text

    found = audit_folder(run, console_bars(console), seed)
    _show(found)
    if out is not None:
        write_text(out, found.model_dump_json(indent=2) + "\n")
        say(f"audit in {out}")


def _show(found: Audit) -> None:
    """The table of an audit, and the samples that one modality tells most surely."""
    from srpo.publish.show import audit_lines

    for line in audit_lines(found):
        say(line)
