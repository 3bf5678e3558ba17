"""`windowshop serve` from settings to the last drained worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from recommender.bundle import Bundle, current_version, open_version, previous_version
from recommender.config import ServerSettings, Settings
from recommender.errors import BundleError
from recommender.feed.signing_keys import read_signing_keys
from recommender.service.clock import clock_ms
from recommender.service.credentials import Credentials, read_credentials
from recommender.service.log_lines import log_to_stderr
from recommender.service.metrics_endpoint import check_metrics_exposure, metrics_endpoint
from recommender.service.metrics_page import MetricsPage
from recommender.service.ports import check_exposure, hold_port, is_loopback, parse_listen
from recommender.service.supervisor import Supervisor
from recommender.service.worker_plan import WorkerPlan
from recommender.state.sqlite import kept, open_state

_logger = logging.getLogger(__name__)


def serve(
    models: Path, state: Path, settings: Settings, announce: Callable[[str], None], preload: Iterable[str] = ()
) -> None:
    """Serve the live model until SIGTERM or SIGINT.

    Args:
        models: Folder with the bundles.
        state: Folder of the state, made if missing.
        settings: Of the whole server.
        announce: Gets one line once every worker answers, and a second one with the URL of /metrics where it is on.
        preload: The module of the command line, so that no worker loads it again.

    Raises:
        WindowshopError: Something is missing, damaged, taken or not allowed.
    """
    credentials = read_credentials(settings.server)
    check_exposure(settings.server.listen, guarded=credentials.guarded, insecure=settings.server.insecure)
    check_metrics_exposure(settings.server)
    bundle = open_live(models)
    with closing(open_state(state, settings.state, clock=clock_ms)) as opened:
        # Made here where missing, so that workers find it.
        keys = read_signing_keys(opened, settings.feed)
    held = hold_port(settings.server.listen)
    log_to_stderr()
    _tell_access(credentials, held.address)
    plans = [
        WorkerPlan(bundle.folder, state, held.address, number, settings, credentials, keys)
        for number in range(settings.server.workers)
    ]
    lines = [f"windowshop serves on {held.address}, model {bundle.version}, {workers_text(len(plans))}"]
    supervisor = Supervisor(models, plans, preload, lambda: announce("\n".join(lines)))
    with kept(state), held.socket, _metrics(settings.server, supervisor) as url:
        lines += [f"metrics on {url}"] if url else []
        supervisor.run()


@contextmanager
def _metrics(settings: ServerSettings, supervisor: Supervisor) -> Iterator[str]:
    """Show what the workers count, where that is wanted; the URL."""
    if not settings.metrics_listen:
        yield ""
        return
    page = MetricsPage(supervisor.board.total, supervisor.standings, lambda: supervisor.deaths)
    with metrics_endpoint(settings.metrics_listen, page.text) as url:
        yield url


def _tell_access(credentials: Credentials, address: str) -> None:
    if credentials.tokens is None:
        _logger.warning("no tokens: whoever reaches the port may call every method", extra={"address": address})
    else:
        extra = {"address": address, "tokens": credentials.tokens.counts(), "tls": credentials.tls is not None}
        _logger.info("calls need a token", extra=extra)
    if credentials.tls is None and not is_loopback(parse_listen(address)[0]):
        _logger.warning("no TLS: tokens and requests travel in plain text", extra={"address": address})


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
    try:
        return open_version(models, version)
    except BundleError as error:
        before = previous_version(models)
        if before is None:
            raise
        raise BundleError(f"{error}; go back to {before}: windowshop models rollback --models {models}") from error


def workers_text(count: int) -> str:
    """`1 worker` or `2 workers`."""
    return f"{count} worker{'s' if count != 1 else ''}"
