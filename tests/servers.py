"""A real server for tests: `windowshop serve` as a process on a free port of the loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil

from recommender.api.v1 import models_pb2, models_pb2_grpc

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60.0
COMMAND = (sys.executable, "-W", "error", "-m", "recommender")


@dataclass
class RunningServer:
    """A server that answers; `log` is its stderr."""

    process: subprocess.Popen[str]
    announcement: str
    address: str
    log: Path

    def channel(self) -> grpc.Channel:
        """A connection of its own, not shared with other channels of this process."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
        return grpc.insecure_channel(self.address, options=options)

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]

    @property
    def n_workers(self) -> int:
        """How many workers it keeps answering."""
        return int(self.announcement.split()[-2])

    def workers(self) -> list[int]:
        """Process ids of the living workers, as the log and the system tell."""
        told = [line["pid"] for line in self.lines() if line["message"] == "worker answers"]
        return [pid for pid in told if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]

    @contextmanager
    def channel_by_worker(self) -> Iterator[dict[int, grpc.Channel]]:
        """One connection to each worker, by process id, until the block ends.

        Which worker a connection reaches is the kernel's choice, so they are opened until each has one. A channel whose
        worker dies connects anew, to whichever worker the kernel gives it.
        """
        eventually(lambda: len(self.workers()) == self.n_workers)
        found: dict[int, grpc.Channel] = {}
        opened: list[grpc.Channel] = []

        def every_worker_has_one() -> bool:
            opened.append(channel := self.channel())
            found.setdefault(worker_of(channel), channel)
            return len(found) == self.n_workers

        try:
            eventually(every_worker_has_one, pause_seconds=0.0)
            yield found
        finally:
            for channel in opened:
                channel.close()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def metrics_url(self) -> str:
        """Where /metrics is, as the server says in its second line; for one started with it."""
        assert self.process.stdout is not None
        match = re.fullmatch(r"metrics on (\S+)\n", self.process.stdout.readline())
        assert match is not None
        return match[1]

    def stop(self) -> int:
        """Drain and end; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)


def worker_of(channel: grpc.Channel) -> int:
    """The process id of the worker behind a connection."""
    stub = models_pb2_grpc.ModelServiceStub(channel)
    request = models_pb2.GetServingStatusRequest()
    return stub.GetServingStatus(request, timeout=PATIENCE_SECONDS, wait_for_ready=True).process_id


@contextmanager
def running_server(models: Path, state: Path, *flags: str, **environment: str) -> Iterator[RunningServer]:
    """A server until the block ends, with nothing of it left behind.

    Args:
        models: Folder with a live bundle.
        state: Folder of the state.
        flags: Further flags of `windowshop serve`.
        environment: Settings such as `WINDOWSHOP_FEED__MODE="any"`.
    """
    log = state.with_name(f"{state.name}-{time.monotonic_ns()}.log")
    with log.open("w", encoding="utf-8") as stderr:
        command = [*COMMAND, "serve", "--models", str(models), "--state", str(state), "--listen", "127.0.0.1:0", *flags]
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    below: list[psutil.Process] = []
    try:
        line = process.stdout.readline().rstrip("\n")
        match = re.match(r"windowshop serves on (\S+), ", line)
        assert match is not None, f"the server did not start:\n{log.read_text(encoding='utf-8')}"
        server = RunningServer(process, line, match[1], log)
        below = server.processes()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
            process.stdout.close()
            for each in below:
                if each.is_running():
                    each.kill()


def eventually(holds: Callable[[], bool], pause_seconds: float = 0.05) -> None:
    """Wait until something holds; fail after a minute, however slow the machine."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "did not come about within a minute"
        time.sleep(pause_seconds)
