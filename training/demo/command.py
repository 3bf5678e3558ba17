"""`windowshop demo` as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from recommender.config import load_settings
from training.demo.run import WORLDS, DemoRequest, run_demo

_PIPE_WIDTH: Final = 160


def demo(
    world: Annotated[str, typer.Option(help=f"Which sample data: {', '.join(WORLDS)}.")] = WORLDS[0],
    folder: Annotated[
        Path, typer.Option(help="Folder for data, models, state and log; reused by the next run.")
    ] = Path(".demo"),
    once: Annotated[bool, typer.Option("--once", help="End after printing instead of staying up.")] = False,
) -> None:
    """All of it on sample data: train, serve, print feeds, buy something, print how the feed turned.

    Stays up until Ctrl-C. A second run reuses data and model.
    """
    console = Console()
    run_demo(
        DemoRequest(folder, world, once),
        load_settings(),
        console if console.is_terminal else Console(width=_PIPE_WIDTH),
    )
