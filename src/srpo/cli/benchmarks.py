"""Commands about public benchmarks: what there is, and whether a copy of the files can be used."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from srpo.cli.terminal import harmless, say
from srpo.errors import DataError

app = typer.Typer(
    no_args_is_help=True, help="Public benchmarks: which there are, and checks of your copy of the files."
)


@app.command("list")
def list_() -> None:
    """Name every benchmark with its paper, licence and protocols.

    Example: srpo benchmarks list
    """
    from srpo.benchmarks import BENCHMARKS

    width = max(map(len, BENCHMARKS))
    for name, one in BENCHMARKS.items():
        say(f"{name:<{width}}  {one.title}; {one.paper}; {one.licence}; protocols {', '.join(one.protocols)}")
    say("files, fields and rates of each: docs/benchmarks.md")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="benchmark, see `srpo benchmarks list`", metavar="NAME")],
    path: Annotated[Path, typer.Argument(help="the published file, or the folder that holds it", metavar="PATH")],
    images: Annotated[Path | None, typer.Option(help="folder of its pictures; by default beside the file")] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="do not ask for the pictures")] = False,
) -> None:
    """Read every row, and play right and wrong answers through every protocol.

    Example: srpo benchmarks check siuo siuo_gen.json --images images
    """
    from srpo.benchmarks import benchmark_named, validate

    benchmark = benchmark_named(name)
    items = benchmark.load(path.expanduser(), images, check_images=not no_images)
    say(f"{name}: {len(items)} items, {len({item.cluster for item in items})} clusters, licence {benchmark.licence}")
    for title, values in (("subset", (i.subset for i in items)), ("category", (i.category or "" for i in items))):
        counts = {key: count for key, count in Counter(values).items() if key}
        if counts:
            say(f"  by {title}: " + harmless(", ".join(f"{key} {count}" for key, count in counts.items())))
    problems = [f"{kind}: {problem}" for kind in benchmark.protocols for problem in validate(benchmark, items, kind)]
    if problems:
        raise DataError(f"{path}: {len(problems)} answers are not counted as they should, first: {problems[0]}")
    say(f"  right and wrong answers are counted as such under {', '.join(benchmark.protocols)}")
