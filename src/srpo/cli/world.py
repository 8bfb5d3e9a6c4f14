"""Commands of the embedded world: make its tiny model, and measure it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srpo.cli.terminal import OverridesArgument, console, say
from srpo.config import load_config
from srpo.progress import console_bars

app = typer.Typer(no_args_is_help=True, help="The embedded world: its tiny model, and how that was made.")


@app.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="model folder to make", metavar="DIR")],
    overrides: OverridesArgument = None,
) -> None:
    """Make the tiny model from scratch: see, learn the facts, learn to slip; then measure it for its card.

    Takes about half an hour on two cores.  Example: srpo world pretrain /tmp/tiny seed=1
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
