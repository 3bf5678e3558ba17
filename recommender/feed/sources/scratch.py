"""Memory to add up in."""

from __future__ import annotations

import threading

import numpy as np


class Scratch(threading.local):
    """Per-thread arrays as long as the catalogue: allocated once, left zeroed by every request.

    What a source never writes to takes no memory.
    """

    def __init__(self, n_items: int) -> None:
        self.sums = np.zeros(n_items, np.float32)
        self.best = np.zeros(n_items, np.float32)
        self.evidence = np.zeros(n_items, np.int32)
        self.touched = np.zeros(n_items, np.int32)
