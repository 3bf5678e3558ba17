"""What the fork server has to find in its environment: set before it starts, read when it preloads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

BUNDLE_VARIABLE: Final = "WINDOWSHOP_PRELOAD_BUNDLE"
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def fork_environment(bundle: Path) -> dict[str, str]:
    """Environment variables by name.

    Args:
        bundle: Folder of a verified bundle, whose feed compiles the kernels.

    Returns:
        Its folder, that libraries compute on one thread (there is a process per core, and threads do not fork), and
        what is anybody's to set otherwise: that gRPC keeps quiet, which writes a line, no JSON, for every stranger
        whose handshake fails; and that glibc keeps two heaps instead of one for each of the forty threads, of which
        every one grows for hours until it has met its own largest requests.
    """
    variables = {BUNDLE_VARIABLE: str(bundle)} | dict.fromkeys(_THREAD_VARIABLES, "1")
    wishes = {"GRPC_VERBOSITY": "ERROR", "MALLOC_ARENA_MAX": "2"}
    return variables | {name: os.environ.get(name, value) for name, value in wishes.items()}
