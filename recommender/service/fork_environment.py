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
        that gRPC keeps quiet: it writes a line, which is no JSON, for every stranger whose handshake fails.
    """
    variables = {BUNDLE_VARIABLE: str(bundle)} | dict.fromkeys(_THREAD_VARIABLES, "1")
    return variables | {"GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "ERROR")}
