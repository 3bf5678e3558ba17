"""`windowshop serve` from settings to the last drained worker, and `serve --check`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from recommender.bundle import Bundle, current_version, open_bundle
from recommender.config import Settings
from recommender.errors import BundleError, WindowshopError
from recommender.service.log_lines import log_to_stderr
from recommender.service.ports import check_exposure, hold_port
from recommender.service.supervisor import Supervisor
from recommender.service.worker import WorkerPlan, clock_ms
from recommender.state.sqlite import open_state
from recommender.wiring import signing_key

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What `serve --check` says of one thing."""

    name: str
    good: bool
    text: str


def serve(
    models: Path, state: Path, settings: Settings, announce: Callable[[str], None], preload: Iterable[str] = ()
) -> None:
    """Serve the live model until SIGTERM or SIGINT.

    Args:
        models: Folder with the bundles.
        state: Folder of the state, made if missing.
        settings: Of the whole server.
        announce: Gets one line once every worker answers.
        preload: The module of the command line, so that no worker loads it again.

    Raises:
        WindowshopError: Something is missing, damaged, taken or not allowed.
    """
    check_exposure(settings.server.listen, insecure=settings.server.insecure)
    bundle = open_live(models)
    prepare_state(state, settings)
    held = hold_port(settings.server.listen)
    log_to_stderr()
    _logger.warning("no tokens: whoever reaches the port may call every method", extra={"address": held.address})
    plans = [
        WorkerPlan(bundle.folder, state, held.address, number, settings) for number in range(settings.server.workers)
    ]
    line = f"windowshop serves on {held.address}, model {bundle.version}, {_workers(len(plans))}"
    with held.socket:
        Supervisor(plans, preload, lambda: announce(line)).run()


def check(models: Path, state: Path, settings: Settings) -> list[Finding]:
    """Whether `serve` would start: configuration, bundle and state, each looked at on its own; nothing is made."""
    return [
        _find("configuration", lambda: _configuration(settings)),
        _find("bundle", lambda: _bundle(models)),
        _find("state", lambda: _state(state, settings)),
    ]


def open_live(models: Path) -> Bundle:
    """The bundle that `current` names, verified.

    Raises:
        BundleError: Nothing was published yet, or it is damaged.
    """
    version = current_version(models)
    if version is None:
        raise BundleError(
            f"{models} holds no published model; make one: windowshop train --events ... --models {models}"
        )
    return open_bundle(models / version, verify=True)


def prepare_state(state: Path, settings: Settings) -> None:
    """Make the state or its signing key where missing, so that workers find both.

    Raises:
        StateError: It cannot be opened.
    """
    opened = open_state(state, settings.state, clock=clock_ms)
    try:
        signing_key(opened, settings)
    finally:
        opened.close()


def _find(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except WindowshopError as error:
        return Finding(name, False, str(error))


def _configuration(settings: Settings) -> str:
    check_exposure(settings.server.listen, insecure=settings.server.insecure)
    server = settings.server
    return f"listens on {server.listen}, {_workers(server.workers)} with {server.threads} threads each"


def _bundle(models: Path) -> str:
    bundle = open_live(models)
    return f"model {bundle.version}, {bundle.n_items:,} items, every file matches its SHA-256"


def _state(state: Path, settings: Settings) -> str:
    if not state.is_dir() or not any(state.iterdir()):
        return f"{state} is empty or missing and will be made"
    prepare_state(state, settings)
    return f"{state} opens, durability {settings.state.durability}"


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count != 1 else ''}"
