"""Commands of the study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from srpo.cli.terminal import say
from srpo.errors import ModelError

if TYPE_CHECKING:
    from srpo.study.schedule import Study
    from srpo.study.wanted import Wanted

app = typer.Typer(no_args_is_help=True, help="Many methods on the embedded world, side by side; resumable run by run.")

_PAGE: Final = Path("docs/study.md")

_StudyOption = Annotated[str, typer.Option("--study", help="YAML file, or name of a shipped study", metavar="FILE")]
_QuickOption = Annotated[bool, typer.Option("--quick", help="the reduced study, in a folder of its own")]
_ResultsOption = Annotated[
    Path | None, typer.Option("--results", help="folder of the figures of finished runs", metavar="DIR")
]
_WorkOption = Annotated[Path | None, typer.Option("--work", help="folder of bases and shared branches", metavar="DIR")]
_OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="method; may be given often", metavar="METHOD")]
_PartOption = Annotated[
    list[str] | None,
    typer.Option("--part", help="rates, methods, updates or an ablation; may be given often", metavar="PART"),
]
_BaseOption = Annotated[list[str] | None, typer.Option("--base", help="base; may be given often", metavar="BASE")]


@app.command()
def plan(  # noqa: PLR0913  # one parameter per option
    study: _StudyOption = "full",
    quick: _QuickOption = False,
    results: _ResultsOption = None,
    work: _WorkOption = None,
    only: _OnlyOption = None,
    part: _PartOption = None,
    base: _BaseOption = None,
) -> None:
    """Print what is finished and what is to be done, with the time it is likely to take.

    Example: srpo study plan --part updates
    """
    from srpo.study.planning import plan_lines

    found = _study(study, quick, results, work)
    for line in plan_lines(found, _wanted(found, only, part, base)):
        say(line)


@app.command()
def run(  # noqa: PLR0913  # one parameter per option
    study: _StudyOption = "full",
    quick: _QuickOption = False,
    results: _ResultsOption = None,
    work: _WorkOption = None,
    only: _OnlyOption = None,
    part: _PartOption = None,
    base: _BaseOption = None,
    minutes: Annotated[float | None, typer.Option(help="begin nothing that takes longer than this", min=0)] = None,
    jobs: Annotated[int, typer.Option(help="processes of one thread each", min=1)] = 2,
) -> None:
    """Do what is missing; give it again to go on.

    Example: srpo study run --minutes 120 --jobs 2 --only sft --only srpo
    """
    from srpo.study.schedule import work_off

    found = _study(study, quick, results, work)
    failed = work_off(found, jobs, minutes, _wanted(found, only, part, base), say)
    if failed:
        raise ModelError(f"failed: {', '.join(failed)}; the reasons stand above, the others are kept, run it again")
    say(f"figures in {found.results.path}")


@app.command()
def tables(
    study: _StudyOption = "full",
    quick: _QuickOption = False,
    results: _ResultsOption = None,
    page: Annotated[Path | None, typer.Option("--page", help="page whose tables are made anew", metavar="FILE")] = None,
) -> None:
    """Make the tables and figures of the study anew from its figures alone.  Example: srpo study tables"""
    from srpo.study.page import write_page

    found = _study(study, quick, results, None)
    target = page or (found.results.path / "study.md" if quick else _PAGE)
    write_page(found, target, _name(study, quick))
    say(f"tables in {target}")


def _wanted(study: Study, only: list[str] | None, part: list[str] | None, base: list[str] | None) -> Wanted:
    """What was asked for.  Raises DataError if a name is none of the study's."""
    from srpo.study.wanted import Wanted

    wanted = Wanted(tuple(only or ()), tuple(part or ()), tuple(base or ()))
    wanted.check(study.settings)
    return wanted


def _name(study: str, quick: bool) -> str:
    """What the folders and marks of a study are called by: a file of one's own counts by its stem."""
    return "quick" if quick else Path(study).stem


def _study(study: str, quick: bool, results: Path | None, work: Path | None) -> Study:
    """Settings and folders, by what was given.  Studies share no folder, so that several may run side by side."""
    from srpo.study.places import Places, named
    from srpo.study.results import Results
    from srpo.study.schedule import Study
    from srpo.study.settings import load_study

    folder = named("study", _name(study, quick))
    home = Path("runs") / folder
    figures = home / "figures" if quick else Path("docs/measurements") / folder
    settings = load_study("quick" if quick else study)
    return Study(settings, Places(work or home), Results(results or figures, settings))
