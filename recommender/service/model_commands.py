"""`windowshop models`: which versions there are, and which is live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recommender.errors import ConfigurationError
from recommender.service.connection import Connection, connecting
from recommender.service.terminal import console

models_app = typer.Typer(help="Look at published models, and say which one is live.", no_args_is_help=True)

ModelsFolder = Annotated[Path, typer.Option("--models", help="Folder with the models.", show_default=False)]
_FolderOrServer = Annotated[
    Path | None,
    typer.Option("--models", help="Folder with the models; without it, the server is asked.", show_default=False),
]
_Version = Annotated[str, typer.Argument(metavar="VERSION", help="As `models list` names it.")]


@models_app.command("list")
def list_models(models: ModelsFolder) -> None:
    """List the versions in a models folder, oldest first, with what the promotion gate said; the live one is marked."""
    from recommender.service.model_table import model_table

    table = model_table(models)
    if not table.row_count:
        raise ConfigurationError(f"{models} holds no model; make one with: windowshop train --models {models}")
    console().print(table)


@models_app.command("show")
def show_model(name: _Version, models: ModelsFolder) -> None:
    """Print a version's manifest and the run that made it as JSON: data window, counts, metrics, the gate's verdict."""
    from recommender.service.model_table import model_json

    typer.echo(model_json(models, name))


@models_app.command("activate")
@connecting
def activate_model(name: _Version, models: _FolderOrServer = None, *, connection: Connection) -> None:
    """Make a version the live one: in a folder, which running servers follow, or on a server, worker by worker."""
    from recommender.service import model_changes

    if models is not None:
        typer.echo(model_changes.activate_in(models, name))
        return
    with connection.channel() as channel:
        console().print(model_changes.activate_at(channel, connection.target, name))


@models_app.command("rollback")
@connecting
def roll_back(models: _FolderOrServer = None, *, connection: Connection) -> None:
    """Make the version live again that was live before the present one; again, the one before that."""
    from recommender.service import model_changes

    if models is not None:
        typer.echo(model_changes.roll_back_in(models))
        return
    with connection.channel() as channel:
        console().print(model_changes.roll_back_at(channel, connection.target))
