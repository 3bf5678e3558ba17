"""`windowshop serve --check`: would it start?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recommender.config import Settings
from recommender.errors import WindowshopError
from recommender.feed.signing_keys import read_signing_keys
from recommender.service.clock import clock_ms
from recommender.service.credentials import read_credentials
from recommender.service.metrics_endpoint import check_metrics_exposure
from recommender.service.ports import check_exposure
from recommender.service.serving import open_live, workers_text
from recommender.service.warming import warm_up
from recommender.state.sqlite import open_state, pending_upgrade


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one thing."""

    name: str
    good: bool
    text: str


def check(models: Path, state: Path, settings: Settings) -> list[Finding]:
    """Look at configuration, bundle and state, each on its own; nothing is made."""
    return [
        _find("configuration", lambda: _configuration(settings)),
        _find("bundle", lambda: _bundle(models, settings)),
        _find("state", lambda: _state(state, settings)),
    ]


def _find(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except WindowshopError as error:
        return Finding(name, False, str(error))


def _configuration(settings: Settings) -> str:
    server = settings.server
    credentials = read_credentials(server)
    check_exposure(server.listen, guarded=credentials.guarded, insecure=server.insecure)
    check_metrics_exposure(server)
    workers = f"{workers_text(server.workers)} with {server.threads} threads each"
    return f"listens on {server.listen}, {workers}; {credentials.in_words()}"


def _bundle(models: Path, settings: Settings) -> str:
    bundle = open_live(models)
    warm_up(bundle, settings)
    return f"model {bundle.version}, {bundle.n_items:,} items, every file matches its SHA-256, a feed can be made"


def _state(state: Path, settings: Settings) -> str:
    if not state.is_dir() or not any(state.iterdir()):
        return f"{state} is empty or missing and will be made"
    if upgrade := pending_upgrade(state):
        return f"{state} is of an older version; at the start {upgrade}, in one step or not at all"
    opened = open_state(state, settings.state, clock=clock_ms, worker="check")
    try:
        opened.check()
        read_signing_keys(opened, settings.feed)
    finally:
        opened.close()
    return f"{state} is whole, durability {settings.state.durability}"
