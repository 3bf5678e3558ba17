"""`windowshop serve` as a process beside the demo, which never outlives it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from recommender.errors import WindowshopError

#: More than a worker gets to drain and what its supervisor grants beyond that.
_PATIENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers.

    Args:
        address: HOST:PORT.
        process: Its supervisor.
        log: Where its log lines go.
    """

    address: str
    process: subprocess.Popen[str]
    log: Path

    def channel(self) -> grpc.Channel:
        """A connection to it."""
        return grpc.insecure_channel(self.address)

    def wait(self) -> None:
        """Until it ends.

        Raises:
            WindowshopError: It failed.
        """
        if self.process.wait():
            raise WindowshopError(f"the server ended by itself: {_last_words(self.log)}; all of it is in {self.log}")


@contextmanager
def running_server(models: Path, state: Path, log: Path) -> Iterator[RunningServer]:
    """A server on a free port of this machine, until the block ends.

    Args:
        models: Folder with a live bundle.
        state: Folder of the state, made if missing.
        log: File for its log lines, written anew.

    Raises:
        WindowshopError: It did not start.
    """
    command = [sys.executable, "-m", "recommender", "serve", "--listen", "127.0.0.1:0"]
    command += ["--models", str(models), "--state", str(state)]
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)  # noqa: S603  # ourselves
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        announced = re.match(r"windowshop serves on (\S+), ", line)
        if announced is None:
            raise WindowshopError(f"the server did not start: {_last_words(log)}; all of it is in {log}")
        yield RunningServer(announced[1], process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Let it drain; it is killed where it takes too long, or where Ctrl-C is pressed again."""
    process.terminate()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _last_words(log: Path) -> str:
    """The last line of the log, as text where it is a log line."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    try:
        return str(json.loads(last)["message"])
    except (ValueError, KeyError, TypeError):
        return last.removeprefix("windowshop: ")
