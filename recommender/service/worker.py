"""One worker process: opens bundle and state, warms up, binds, answers, drains."""

from __future__ import annotations

import logging
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from recommender import wiring
from recommender.bundle import open_bundle
from recommender.errors import WindowshopError
from recommender.feed.live_feed import LiveFeed
from recommender.feed.receipts import ReceiptSigner
from recommender.service.access import Gate
from recommender.service.clock import clock_ms
from recommender.service.control import Answers, CannotStart
from recommender.service.counter_board import CounterBoard
from recommender.service.feed_servicer import Live
from recommender.service.intake import EventIntake
from recommender.service.item_intake import ItemIntake
from recommender.service.log_lines import PersonTag, log_to_stderr
from recommender.service.meter import Meter
from recommender.service.model_servicer import ModelServicer
from recommender.service.preload import check_fork
from recommender.service.privacy_servicer import PrivacyServicer
from recommender.service.refusals import Refusals
from recommender.service.request_lines import RequestLines
from recommender.service.server import Intakes, Operations, WorkerServer
from recommender.service.signals import StopSignals
from recommender.service.supervisor_link import SupervisorLink
from recommender.service.swapping import ModelSwapper
from recommender.service.warming import warm_up
from recommender.service.worker_plan import WorkerPlan
from recommender.state.protocols import State
from recommender.state.sqlite import open_state

_logger = logging.getLogger(__name__)


def run_worker(plan: WorkerPlan, pipe: Connection, board: CounterBoard) -> None:
    """Serve until SIGTERM comes or the supervisor is gone, then drain.

    Args:
        plan: What to do.
        pipe: To the supervisor: `control` says what passes; its end means that the supervisor is gone.
        board: Where it counts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the supervisor acts
    link = SupervisorLink(pipe)
    with StopSignals(signal.SIGTERM) as stop:
        log_to_stderr()
        check_fork()
        try:
            state, server, swapper = _start(plan, link, board)
        except WindowshopError as error:
            link.say(CannotStart(error))
            raise SystemExit(error.exit_code) from None
        link.say(Answers(plan.bundle.name))
        _logger.info("worker answers", extra={"worker": plan.number, "address": plan.address})
        link.listen(stop.arrival, swapper.swap)
        link.close()
        whole = server.drain(plan.settings.server.drain)
        swapper.stop()
        state.close()
        _logger.info("worker drained", extra={"worker": plan.number, "whole": whole})


def _start(plan: WorkerPlan, link: SupervisorLink, board: CounterBoard) -> tuple[State, WorkerServer, ModelSwapper]:
    settings = plan.settings
    state = open_state(plan.state, settings.state, clock=clock_ms, worker=f"worker-{plan.number}")
    keys = plan.signing_keys

    def build(folder: Path) -> LiveFeed:
        bundle = open_bundle(folder, verify=False)
        feed = wiring.build_feed(bundle, state, settings, clock_ms, keys)
        warm_up(bundle, settings)
        return feed

    live = Live(build(plan.bundle))
    meter = Meter(board.row(plan.number), board.marks())
    swapper = ModelSwapper(live, build, link, meter)
    swapper.start()
    signer = ReceiptSigner(keys, int(settings.feed.receipt_ttl * 1_000))
    intakes = Intakes(
        EventIntake(state.events, signer, clock_ms), ItemIntake(state.live_items, state.numbers, clock_ms)
    )
    operations = Operations(ModelServicer(plan.bundle.parent, link), PrivacyServicer(live, state, clock_ms))
    gate = Gate(plan.credentials.tokens, meter)
    lines = RequestLines(PersonTag(keys[0]), settings.server.slow_request, settings.server.log_every)
    log_to_stderr(lines.hide)
    server = WorkerServer(live, intakes, operations, Refusals(lines, meter), gate, settings.server, meter)
    server.start(plan.address, plan.credentials.tls)
    return state, server, swapper
