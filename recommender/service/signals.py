"""Signals as something to wait for beside pipes, instead of code that runs anywhere."""

from __future__ import annotations

import signal
import socket
from types import FrameType
from typing import Self


class StopSignals:
    """Makes `arrival` readable once one of the signals arrived; for the main thread of a process.

    The handlers stay after the block: what was told to stop is not killed by being told again.

    Args:
        signals: Which ones.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.arrival, self._writer = socket.socketpair()
        self.arrival.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, _nothing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self.arrival.close()
        self._writer.close()

    def clear(self) -> None:
        """Forget what arrived, to wait for another."""
        self.arrival.recv(4_096)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Python writes to the wake-up descriptor only for signals that have a handler."""
