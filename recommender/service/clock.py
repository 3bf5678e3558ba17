"""The time as servers take it; everything below gets it handed in."""

from __future__ import annotations

import time


def clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
