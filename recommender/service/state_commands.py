"""The commands that work on a state's folder without asking a server: its export, copies and keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

State = Annotated[
    Path, typer.Option("--state", help="Folder of the state: events, snapshots, key.", show_default=False)
]


def add_state_commands(app: typer.Typer) -> None:
    """Give the command line its commands for states."""
    app.command("export-events")(export_events)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("rotate-key")(rotate_key)


def export_events(
    state: State,
    out: Annotated[Path, typer.Option(help="Folder to write events/, items/, edges/ and erased/ into.")],
    since: Annotated[
        str | None, typer.Option(help="Only events that arrived at or after this time, ISO-8601 or ms since 1970.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings; see recommender/README.md.")] = None,
) -> None:
    """Write what the online side knows as files that `windowshop train` reads; safe while the server runs."""
    from recommender.config import load_settings
    from recommender.service.export import export_state

    counts = export_state(state, out, since, load_settings(config))
    typer.echo(", ".join(f"{count:,} {name}" for name, count in counts.items()) + f" written to {out}")


def backup(
    state: State,
    out: Annotated[Path, typer.Option(help="New folder to write the backup into.", show_default=False)],
) -> None:
    """Copy a state while the server runs: events, live items and takedowns, item numbers, served records, key; checked.

    Lists that sessions page through are left out: after a restore, their page tokens are answered PAGE_TOKEN_EXPIRED.
    """
    from recommender.service.clock import clock_ms
    from recommender.state.sqlite import back_up

    written = back_up(state, out, clock_ms())
    typer.echo(f"{written.events:,} events in {len(written.files)} files, every byte of them checked, written to {out}")


def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder that `backup` wrote.", show_default=False)],
    state: State,
    replace: Annotated[
        bool, typer.Option("--replace", help="Rename a state that stands there to make room; nothing is removed.")
    ] = False,
) -> None:
    """Make a state of a backup, for a server that is not running.

    Of a state that it replaces, the users erased since are erased again, and the younger takedowns and their ends hold.
    """
    from recommender.service.clock import clock_ms
    from recommender.state.sqlite import restore as restore_state

    restored = restore_state(source, state, clock_ms, replace=replace)
    typer.echo(f"{restored.backup.events:,} events restored to {state}")
    if restored.former is not None:
        typer.echo(
            f"what stood there is now {restored.former}; users erased since, and now again: {restored.erased_since}"
        )


def rotate_key(
    state: State,
    drop_earlier: Annotated[
        bool, typer.Option("--drop-earlier", help="Void what earlier keys signed, as where one became known.")
    ] = False,
) -> None:
    """Make a new key for page tokens and receipts; servers sign with it from their next start.

    What the three latest earlier keys signed stays valid.
    """
    from recommender.state.sqlite import rotate_state_keys

    earlier = rotate_state_keys(state, drop_earlier=drop_earlier) - 1
    typer.echo(f"a new key signs from the next start; earlier keys that still verify: {earlier}")
