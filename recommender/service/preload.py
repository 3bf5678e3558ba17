"""What every worker shares: imported once by the fork server, before any thread and without gRPC.

A worker forked from here starts in a fraction of the time and memory of a fresh interpreter. gRPC does not survive a
fork, and a thread would not be copied by it, so the fork server notes at each fork that it has neither.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import faiss

import recommender.wiring  # noqa: F401  # with it everything that serves, down to numpy and numba's kernels

faiss.omp_set_num_threads(1)


@dataclass(slots=True)
class ForkNotes:
    """What the fork server found about itself at its latest fork.

    Args:
        threads: How many threads it had; 0 before the first fork.
        grpc: Whether gRPC was loaded.
    """

    threads: int = 0
    grpc: bool = False


notes = ForkNotes()


def _note() -> None:
    notes.threads = len(list(Path("/proc/self/task").iterdir()))
    notes.grpc = "grpc" in sys.modules


def check_fork() -> None:
    """Make sure, in a worker, that the fork it came from was a clean one.

    Raises:
        RuntimeError: The fork server had threads or gRPC, or had not preloaded this module.
    """
    if notes.threads != 1 or notes.grpc:
        raise RuntimeError(
            f"the fork server had {notes.threads} threads and {'a' if notes.grpc else 'no'} loaded gRPC at the fork; "
            "wanted 1 thread and none: nothing preloaded may start threads or import grpc"
        )


os.register_at_fork(before=_note)
