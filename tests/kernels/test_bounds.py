"""Compiled kernels read and write past the end of an array without a word; as plain Python they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOM = Path(__file__).parent
ROOT = ROOM.parents[1]


def test_no_kernel_leaves_its_arrays() -> None:
    interpreted = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOM), f"--ignore={__file__}"]
    # Unsigned sums that wrap around are meant to; compiled code does not warn of them.
    outcome = subprocess.run(
        [*command, "-W", "ignore::RuntimeWarning"],
        check=False,
        cwd=ROOT,
        env=interpreted,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout[-3_000:] + outcome.stderr[-1_000:]
