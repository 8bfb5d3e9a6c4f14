"""Commands of the embedded world: its tiny model, its pictures, and the server that plays agents and judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from srpo.cli.terminal import OverridesArgument, console, say
from srpo.config import load_config
from srpo.progress import console_bars
from srpo.records import write_text

if TYPE_CHECKING:
    from srpo.simulate.checks import ChecksReport

app = typer.Typer(
    no_args_is_help=True,
    help="The embedded world: its tiny model, its pictures, and a server that plays all who make a dataset.",
)


@app.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="model folder to make", metavar="DIR")],
    overrides: OverridesArgument = None,
) -> None:
    """Make a tiny model from scratch: see, learn the facts, learn to slip; then measure it for its card.

    Takes about half an hour on two cores.  With context=words it is a language model that sees nothing, and with
    domain=household it goes on from the shipped model (docs/household.md).

    Example: srpo world pretrain /tmp/tiny seed=1
    """
    from srpo.world.card import write_card
    from srpo.world.pretrain import PretrainSettings, pretrain

    settings = load_config(None, overrides or [], PretrainSettings)
    bars = console_bars(console)
    pretrain(out, settings, bars)
    write_card(out, settings.seed, bars)
    say(f"model and card in {out}")


@app.command()
def card(model: Annotated[Path, typer.Argument(help="tiny model folder", metavar="DIR")]) -> None:
    """Measure a tiny model on held-out scenes and write its card (README.md, card.json) into its folder.

    Example: srpo world card /tmp/tiny
    """
    from srpo.world.card import write_card

    write_card(model, 0, console_bars(console))
    say(f"card in {model / 'README.md'}")


@app.command()
def pool(
    out: Annotated[Path, typer.Argument(help="folder to make", metavar="DIR")],
    sets: Annotated[int, typer.Option(help="pictures with a hazard; others come beside them", metavar="N")] = 100,
    seed: Annotated[int, typer.Option(help="same seed, same bytes", metavar="N")] = 0,
) -> None:
    """Draw pictures for `srpo build`, with their licences, captions, and the truth beside them.

    Example: srpo world pool /tmp/pool --sets 200
    """
    from srpo.world.pool import PoolFolder, write_pool

    pictures = write_pool(out, sets, seed)
    say(f"{len(pictures)} pictures in {PoolFolder(out).pictures}")


@app.command()
def serve(  # noqa: PLR0913  # one parameter per option
    pool: Annotated[Path, typer.Option(help="folder of srpo world pool", metavar="DIR")],
    agent_errors: Annotated[float, typer.Option(help="share of wrong replies of the agent", min=0, max=1)] = 0.1,
    judge_errors: Annotated[float, typer.Option(help="share of judgements that are wrong", min=0, max=1)] = 0.1,
    failures: Annotated[float, typer.Option(help="share of calls that fail", min=0, max=1)] = 0.0,
    seed: Annotated[int, typer.Option(help="of the errors", metavar="N")] = 0,
    port: Annotated[int, typer.Option(help="port to listen at; 0 = any free one", metavar="PORT")] = 8000,
    until_eof: Annotated[bool, typer.Option("--until-eof", help="end when standard input does")] = False,
) -> None:
    """Play the agents, the judges and the renderer of `srpo build`, with errors at stated rates; Ctrl-C ends it.

    Models: world-agent, world-judge, world-judge-b, world-renderer.  If SRPO_API_KEY is set, clients must send it.
    Example: srpo world serve --pool /tmp/pool --port 8000
    """
    from srpo.simulate import WorldServer, serve_world

    settings = {"agent_errors": agent_errors, "judge_errors": judge_errors, "failures": failures}
    overrides = [f"{name}={value}" for name, value in settings.items()]
    overrides += [f"pool={json.dumps(str(pool))}", f"seed={seed}", f"port={port}", f"until_eof={json.dumps(until_eof)}"]
    serve_world(load_config(None, overrides, WorldServer), say)


@app.command()
def checks(
    run: Annotated[Path, typer.Argument(help="dataset folder, made by `srpo build` from a pool", metavar="RUN")],
    pool: Annotated[Path, typer.Option(help="folder of srpo world pool", metavar="DIR")],
    out: Annotated[Path | None, typer.Option(help="also write the figures here, as JSON", metavar="FILE")] = None,
) -> None:
    """Hold every check of a dataset against the truth: precision, recall, and right records after each stage.

    Example: srpo world checks runs/ssui --pool /tmp/pool
    """
    from srpo.simulate.checks import measure_checks

    report = measure_checks(run, pool)
    _show(report)
    if out is not None:
        write_text(out, report.model_dump_json(indent=1) + "\n")
        say(f"figures in {out}")


@app.command()
def review(
    run: Annotated[Path, typer.Argument(help="dataset folder, made by `srpo build` from a pool", metavar="RUN")],
    pool: Annotated[Path, typer.Option(help="folder of srpo world pool", metavar="DIR")],
    reviewers: Annotated[int, typer.Option(help="people; each decides every sample", min=1, max=10)] = 2,
    errors: Annotated[float, typer.Option(help="share of wrong decisions", min=0, max=1)] = 0.05,
    edit_errors: Annotated[float, typer.Option(help="share of edits that mend nothing", min=0, max=1)] = 0.1,
    seed: Annotated[int, typer.Option(help="of the errors", metavar="N")] = 0,
) -> None:
    """Let simulated people decide what is undecided, blind, and one more settle what they disagree about.

    Example: srpo world review runs/ssui --pool /tmp/pool
    """
    from srpo.simulate.reviewers import SimulatedReviewers, review_run

    people = SimulatedReviewers(reviewers=reviewers, errors=errors, edit_errors=edit_errors, seed=seed)
    done = review_run(run, pool, people)
    say(f"{done.decisions} decisions, {done.settled} of them settle a disagreement: {run / 'reviews.jsonl'}")


@app.command()
def dataset(  # noqa: PLR0913  # one parameter per option
    out: Annotated[Path, typer.Argument(help="folder to make", metavar="DIR")],
    sets: Annotated[int, typer.Option(help="minimal sets wanted", min=1, metavar="N")] = 300,
    pictures: Annotated[
        int | None, typer.Option(help="pictures with a hazard to draw; by default enough at the default rates", min=2)
    ] = None,
    agent_errors: Annotated[float, typer.Option(help="share of wrong replies of the agent", min=0, max=1)] = 0.1,
    judge_errors: Annotated[float, typer.Option(help="share of judgements that are wrong", min=0, max=1)] = 0.1,
    failures: Annotated[float, typer.Option(help="share of calls that fail", min=0, max=1)] = 0.0,
    seed: Annotated[int, typer.Option(help="of everything", min=0, metavar="N")] = 0,
) -> None:
    """From nothing to a published dataset: pictures, server, pipeline, reviewers, publication, table of checks.

    Run it again to go on after a stop.  Example: srpo world dataset /tmp/ssui-world --sets 20
    """
    from srpo.simulate.dataset import WorldDataset, make_dataset
    from srpo.simulate.reviewers import SimulatedReviewers

    plan = WorldDataset(out, sets, agent_errors, judge_errors, failures, seed, pictures)
    report = make_dataset(plan, SimulatedReviewers(seed=seed), console_bars(console), say)
    _show(report)
    say(f"dataset: {plan.published}  (figures: {plan.checks})")


def _show(report: ChecksReport) -> None:
    """The tables of the checks, and what people kept."""
    from srpo.simulate.checks import kept_line, tables_of

    for found in tables_of(report):
        shown = Table(*found.columns, title=found.title, title_justify="left")
        for row in found.rows:
            shown.add_row(*map(str, row))
        console.print(shown)
    say(kept_line(report))
