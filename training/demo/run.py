"""The demo from an empty folder to printed feeds: write the world, train, serve, look, buy, look again, stay up."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from recommender.bundle import current_version, open_bundle
from recommender.bundle.runs import read_runs
from recommender.config import Settings
from recommender.errors import BundleError, ConfigurationError
from training.demo.server import RunningServer, running_server
from training.demo.showing import NEWCOMER, Showing
from training.inputs import InputPaths
from training.nightly import NightlyJob, train
from training.progress import Progress, progress_on
from training.recipe import DECIDING, libraries
from training.worlds.grocery import GroceryRequest, World, source_folder, write_grocery
from training.worlds.shoppers import Market

WORLDS: Final = ("grocery",)


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What to show, and where everything of it lives.

    Args:
        folder: For world, models, state and the server's log; made if missing.
        world: One of `WORLDS`.
        once: End after printing.
        households: Only so many; None for the whole world.
    """

    folder: Path
    world: str = "grocery"
    once: bool = False
    households: int | None = None


def run_demo(request: DemoRequest, settings: Settings, console: Console) -> None:
    """Run the demo; an earlier run's world and model are reused, its state is not, so that all runs begin alike.

    Args:
        request: What is wanted.
        settings: Of training and serving.
        console: To print on.

    Raises:
        ConfigurationError: Another demo uses the folder, the world does not exist or its package is not installed.
        WindowshopError: Training or serving went wrong; the message says why.
        KeyboardInterrupt: Ctrl-C before all was printed; nothing is left running.
    """
    if request.world not in WORLDS:
        raise ConfigurationError(f"there is no world {request.world!r} yet, wanted {' or '.join(WORLDS)}")
    source_folder()
    with _sole_user_of(request.folder), _ended_by_signals():
        progress = progress_on(console)
        world = _world(request, progress, console)
        models, state = request.folder / "models", request.folder / "state"
        _train(world, models, settings, progress, console)
        shutil.rmtree(state, ignore_errors=True)
        with ExitStack() as running:
            with progress.stage("start the server", None):
                server = running.enter_context(running_server(models, state, request.folder / "server.log"))
            with Market(world) as market, server.channel() as channel:
                Showing(console, market, channel, server.address).run()
            if not request.once:
                _stay(server, console)


def _world(request: DemoRequest, progress: Progress, console: Console) -> World:
    wanted = GroceryRequest(shift_to_ms=int(time.time() * 1_000), in_shop=True, households=request.households)
    told = 0.0
    with progress.stage("write the world", 1.0) as stage:

        def advance(share: float) -> None:
            nonlocal told
            stage.advance(share - told)
            told = share

        world = write_grocery(request.folder / request.world, wanted, advance)
    console.print(f"{world.n_events:,} purchases lie in {world.folder}", highlight=False)
    return world


def _train(world: World, models: Path, settings: Settings, progress: Progress, console: Console) -> None:
    """Train as the nightly job does, unless the live model comes from this world and these settings."""
    version = trained_on(world, models, settings)
    if version is None:
        job = NightlyJob(InputPaths(world.events, world.items, world.users), models, settings)
        published = train(job, progress)
        console.print(f"trained in {published.seconds:.0f} s: model {published.version}", highlight=False)
    else:
        console.print(f"model {version} comes from this world and these settings, so it is not trained anew")


def trained_on(world: World, models: Path, settings: Settings) -> str | None:
    """The live version where it is what training would give, as far as its manifest tells."""
    try:
        version = current_version(models)
        if version is None:
            return None
        manifest = open_bundle(models / version, verify=False).manifest
    except BundleError:
        return None
    same_log = manifest.now_ms == world.end_ms and manifest.counts.get("events") == world.n_events
    run = read_runs(models).get(version)
    same_make = manifest.libraries == libraries() and run is not None and run.asked == settings.hash_of(*DECIDING)
    return version if same_log and same_make else None


def _stay(server: RunningServer, console: Console) -> None:
    """Until Ctrl-C, which is the end that is meant, or until the server ends by itself."""
    target = server.address
    how = (
        f"\nThe server stays up on {target} until Ctrl-C. In another shell:\n"
        f"  windowshop feed {NEWCOMER} --target {target} --pages 2\n"
        f"  windowshop send-events FILE --target {target}"
    )
    try:
        console.print(how, highlight=False, markup=False)
        server.wait()
    except KeyboardInterrupt:
        console.print("ended")


@contextmanager
def _sole_user_of(folder: Path) -> Iterator[None]:
    """Keep other demos out of the folder, whose state and models this one replaces."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigurationError(f"--folder {folder} cannot be used: {error.strerror}; name another") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigurationError(f"another demo runs in {folder}; end it, or give --folder another") from error
    finally:
        os.close(descriptor)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind like Ctrl-C does, so that no server is left behind."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
