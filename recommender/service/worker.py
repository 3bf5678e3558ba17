"""One worker process: opens bundle and state, warms up, binds, answers, drains."""

from __future__ import annotations

import logging
import signal
from multiprocessing.connection import Connection, wait

from recommender import wiring
from recommender.bundle import open_bundle
from recommender.errors import WindowshopError
from recommender.feed.receipts import ReceiptSigner
from recommender.service.access import Gate
from recommender.service.clock import clock_ms
from recommender.service.counter_board import CounterBoard
from recommender.service.feed_servicer import Live
from recommender.service.intake import EventIntake
from recommender.service.log_lines import PersonTag, log_to_stderr
from recommender.service.meter import Meter
from recommender.service.preload import check_fork
from recommender.service.refusals import Refusals
from recommender.service.server import WorkerServer
from recommender.service.signals import StopSignals
from recommender.service.warming import warm_up
from recommender.service.worker_plan import WorkerPlan
from recommender.state.protocols import State
from recommender.state.sqlite import open_state

_logger = logging.getLogger(__name__)


def run_worker(plan: WorkerPlan, link: Connection, board: CounterBoard) -> None:
    """Serve until SIGTERM comes or the supervisor is gone, then drain.

    Args:
        plan: What to do.
        link: To the supervisor: gets None once the worker answers, or the error that kept it from starting; its end
            means that the supervisor is gone.
        board: Where it counts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the supervisor acts
    with StopSignals(signal.SIGTERM) as stop:
        log_to_stderr()
        check_fork()
        try:
            state, server = _start(plan, board)
        except WindowshopError as error:
            link.send(error)
            raise SystemExit(error.exit_code) from None
        link.send(None)
        _logger.info("worker answers", extra={"worker": plan.number, "address": plan.address})
        wait([stop.arrival, link])
        whole = server.drain(plan.settings.server.drain)
        state.close()
        _logger.info("worker drained", extra={"worker": plan.number, "whole": whole})


def _start(plan: WorkerPlan, board: CounterBoard) -> tuple[State, WorkerServer]:
    settings = plan.settings
    bundle = open_bundle(plan.bundle, verify=False)
    state = open_state(plan.state, settings.state, clock=clock_ms, worker=f"worker-{plan.number}")
    keys = plan.signing_keys
    pages = wiring.build_feed(bundle, state, settings, clock_ms, keys)
    warm_up(bundle, settings)
    signer = ReceiptSigner(keys, int(settings.feed.receipt_ttl * 1_000))
    intake = EventIntake(state.events, signer, clock_ms)
    meter = Meter(board.row(plan.number), board.marks())
    gate = Gate(plan.credentials.tokens, meter)
    server = WorkerServer(Live(pages), intake, Refusals(PersonTag(keys[0]), meter), gate, settings.server, meter)
    server.start(plan.address, plan.credentials.tls)
    return state, server
