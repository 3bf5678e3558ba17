"""Kills at random moments while clients send and read; after each, all that was acknowledged must be there, once."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from recommender.api.v1 import events_pb2, feed_pb2, feed_pb2_grpc
from recommender.bundle import current_version, list_versions, open_bundle
from recommender.config import StateSettings
from recommender.errors import WindowshopError
from recommender.state.sqlite import open_state
from recommender.state.sqlite.rows import EVENT_PAGE, logged_event
from recommender.types import NEVER, NO_TIME, Event
from tests.crash.catalogues import Catalogue, items_shown
from tests.crash.clients import USERS, Clients
from tests.crash.kill_points import BEFORE_COMMIT, BEFORE_REPLY, FOLDER_VARIABLE, arm
from tests.crash.report import Report
from tests.servers import PATIENCE_SECONDS, ROOT, RunningServer, eventually
from tests.worlds import write_tiny_models
from training.publish import remove_old_versions

WORKERS = 2
WORKER, SUPERVISOR, ALL = "a worker", "the supervisor", "every process"
BEFORE_LIVE, PUBLISHER = "a publisher between rename and current", "a publisher"
SWAPPING = "a worker while models swap"
#: What is killed; a block of so many rounds has each once.
TARGETS = (WORKER, SUPERVISOR, ALL, BEFORE_COMMIT, BEFORE_REPLY, BEFORE_LIVE, PUBLISHER, SWAPPING)
_LOAD_SECONDS = 0.5


class Crashes:
    """One server with its clients, killed again and again.

    Args:
        folder: Empty; models, state and logs go there.
        seed: Of everything that is drawn.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._models, self._state, self._points = folder / "models", folder / "state", folder / "points"
        self._points.mkdir()
        self._folder = folder
        self._rng = random.Random(seed)
        self._report = Report(seed)
        self._versions = 0
        self._log: dict[str, Event] = {}
        self._last = 0
        self._told: set[str] = set()
        self._server: RunningServer | None = None
        write_tiny_models(self._models)

    def run(self, rounds: int, progress: Callable[[str], None]) -> Report:
        """Kill so often, and check after each time."""
        self._server = self._start()
        try:
            with Clients(lambda: self._running.address, self._report.seed) as clients:
                targets: list[str] = []
                for number in range(rounds):
                    targets = targets or self._rng.sample(TARGETS, len(TARGETS))
                    target = targets.pop()
                    self._kill(target)
                    self._report.kills[target] += 1
                    self._report.came_up += self._comes_up()
                    self._check(dict(clients.acknowledged))
                    self._look(clients)
                    progress(f"round {number + 1} of {rounds}: {target} died, {len(clients.acknowledged):,} events")
            self._check(clients.acknowledged)
            self._check_whole(clients.catalogues)
            self._report.pages, self._report.failures = clients.pages, clients.failures
            self._report.items_sent = sum(each.items_sent for each in clients.catalogues)
            self._report.rulings = sum(len(each.rulings) for each in clients.catalogues)
        finally:
            self._end()
        return self._report

    @property
    def _running(self) -> RunningServer:
        assert self._server is not None
        return self._server

    def _start(self) -> RunningServer:
        assert current_version(self._models) is not None
        remove_old_versions(self._models, keep=3)
        log = self._folder / f"server-{time.monotonic_ns()}.log"
        durability = self._rng.choice(("disk", "process"))
        command = [sys.executable, "-m", "tests.crash.serve", str(self._models), str(self._state)]
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                [*command, str(WORKERS), durability], cwd=ROOT, env=os.environ | {FOLDER_VARIABLE: str(self._points)},
                stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline().rstrip("\n")
        match = re.match(r"windowshop serves on (\S+), ", line)
        if match is None:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not come up:\n{log.read_text(encoding='utf-8')[-4_000:]}")
        return RunningServer(process, line, match[1], log)

    def _end(self) -> None:
        if self._server is not None:
            below = self._server.processes() if self._server.process.poll() is None else []
            for process in below:
                _kill(process)
            self._server.process.wait(PATIENCE_SECONDS)
            assert self._server.process.stdout is not None
            self._server.process.stdout.close()

    def _kill(self, target: str) -> None:
        """Kill the target after a random while under load, and start what does not start by itself."""
        time.sleep(self._rng.random() * _LOAD_SECONDS)
        if target in (BEFORE_COMMIT, BEFORE_REPLY):
            deaths = self._deaths()
            arm(self._points, target)
            eventually(lambda: self._deaths() > deaths)
            return
        if target in (BEFORE_LIVE, PUBLISHER):
            self._publish(self._rng.choice((2, 3)) if target == BEFORE_LIVE else 0, dies=True)
            target = self._rng.choice((WORKER, ALL))  # so that what was published is met by processes that start
        if target == SWAPPING:
            self._publish(0, dies=False)
            time.sleep(self._rng.random())  # the supervisor looks at `current` now and then
            target = WORKER
        if target == WORKER:
            deaths = self._deaths()
            os.kill(self._rng.choice(self._running.workers()), signal.SIGKILL)
            eventually(lambda: self._deaths() > deaths)
            return
        processes = self._running.processes()
        for process in processes if target == ALL else processes[:1]:
            _kill(process)
        self._end()
        self._server = self._start()

    def _deaths(self) -> int:
        return sum(line["message"] == "worker died, another one starts" for line in self._running.lines())

    def _publish(self, fatal: int, *, dies: bool) -> None:
        """Publish one more version by a process that dies before a rename, where `fatal` is 0 at any moment; or not."""
        self._versions += 1
        version = f"20250602T{self._versions:06d}Z-tiny"
        command = [sys.executable, "-m", "tests.crash.publisher", str(self._models), version, str(fatal)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as publisher:
            assert publisher.stdout is not None
            publisher.stdout.readline()
            if dies and not fatal:
                time.sleep(self._rng.random() * 0.02)
                publisher.kill()
            wanted = {-signal.SIGKILL} if fatal else {-signal.SIGKILL, 0} if dies else {0}
            assert publisher.wait(PATIENCE_SECONDS) in wanted

    def _comes_up(self) -> bool:
        """Whether every worker lives, and new connections get feeds of the live model."""
        eventually(lambda: len(self._running.workers()) == WORKERS)
        eventually(lambda: {self._page().model_version for _ in range(3)} == {current_version(self._models)})
        return len(self._page().cards) > 0

    def _page(self) -> feed_pb2.GetFeedResponse:
        with self._running.channel() as channel:
            stub = feed_pb2_grpc.FeedServiceStub(channel)
            return stub.GetFeed(feed_pb2.GetFeedRequest(user_id="ada"), timeout=30, wait_for_ready=True)

    def _look(self, clients: Clients) -> None:
        """Ask every worker for what was hidden, sent, taken down and restored."""
        looks = self._report.looks
        hidden = {user_id: clients.hidden_by(user_id) for user_id in USERS}
        with contextlib.ExitStack() as held, self._running.channel_by_worker() as channels:
            for catalogue in clients.catalogues:
                held.enter_context(catalogue.quiet)
            for channel in channels.values():
                for catalogue in clients.catalogues:
                    catalogue.look(channel, looks)
                for user_id, items in hidden.items():
                    looks.hides += len(items)
                    shown = set(items_shown(channel, user_id=user_id))
                    looks.lost += len(items & shown)

    def _check(self, acknowledged: dict[str, events_pb2.Event]) -> None:
        """Read what came to the log since the last time, and look at every bundle."""
        state = open_state(self._state, StateSettings(durability="process"), clock=lambda: 0, worker="checker")
        try:
            while rows := state._readers.fetch(EVENT_PAGE, (self._last, NEVER, NO_TIME, 1_000)):
                for logged in map(logged_event, rows):
                    self._report.doubled += logged.event.event_id in self._log
                    self._log[logged.event.event_id] = logged.event
                self._last = rows[-1][0]
        finally:
            state.close()
        self._report.acknowledged = len(acknowledged)
        found = [(event, self._log[event_id]) for event_id, event in acknowledged.items() if event_id in self._log]
        self._report.found = len(found)
        self._report.hides = sum(event.event_type == "hide" for event in acknowledged.values())
        differing = {sent.event_id for sent, kept in found if not _same(sent, kept)}
        self._report.half_written += [f"event {event_id} is not what was sent" for event_id in differing - self._told]
        self._told |= differing
        self._check_bundles()

    def _check_bundles(self) -> None:
        try:
            current_version(self._models)
            for version in list_versions(self._models):
                open_bundle(self._models / version, verify=True)
        except WindowshopError as error:
            self._report.half_written.append(str(error))

    def _check_whole(self, catalogues: Sequence[Catalogue]) -> None:
        """Once more all of the log from its first event, each ruling that ever was, and each page of the files."""
        state = open_state(self._state, StateSettings(durability="process"), clock=lambda: 0, worker="checker")
        try:
            state.check()
            ids = Counter(logged.event.event_id for logged in state.events.events())
            rulings = {(ruling.name, ruling.reason) for ruling in state.live_items.rulings()}
        except WindowshopError as error:
            self._report.half_written.append(str(error))
            return
        finally:
            state.close()
        self._report.looks.lost += sum(ruling not in rulings for each in catalogues for ruling in each.rulings)
        self._report.doubled = max(self._report.doubled, ids.total() - len(ids))
        if set(ids) != set(self._log):
            self._report.half_written.append("the log read in parts is not the log read whole")


def _same(sent: events_pb2.Event, kept: Event) -> bool:
    """Whether the log holds what was sent; a tie may have given an anonymous event to a user."""
    return (
        (sent.item_id, sent.event_type, sent.session_id, sent.price, dict(sent.attributes))
        == (kept.item_id, kept.event_type, kept.session_id, kept.price, dict(kept.attributes))
    ) and sent.user_id in ("", kept.user_id)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
