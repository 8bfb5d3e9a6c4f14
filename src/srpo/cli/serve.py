"""The server's command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srpo.cli.terminal import say


def serve(  # noqa: PLR0913  # one parameter per option
    model: Annotated[str, typer.Argument(help="embedded, or hf:FOLDER_OR_NAME", metavar="MODEL")],
    host: Annotated[str, typer.Option(help="address to listen at", metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen at; 0 = any free one", metavar="PORT")] = 8000,
    adapter: Annotated[Path | None, typer.Option(help="PEFT folder", metavar="DIR")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16", metavar="TYPE")] = "auto",
    max_rows: Annotated[int, typer.Option(help="sequences decoded together", metavar="N")] = 256,
    name: Annotated[str | None, typer.Option(help="what clients call the model", metavar="NAME")] = None,
) -> None:
    """Serve a local model to OpenAI clients, step prefixes and token ids included; Ctrl-C ends it.

    If SRPO_API_KEY is set, clients must send it.  Example: srpo serve embedded --port 8000
    """
    from srpo.serve import ServeSettings, serve

    serve(ServeSettings(model, host, port, None if adapter is None else str(adapter), dtype, max_rows, name), say)
