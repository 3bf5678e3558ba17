"""Publish a tiny bundle, and die before the n-th rename: `python -m tests.crash.publisher MODELS VERSION N`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.worlds import write_tiny_bundle
from training.publish import publish


def main(models: str, version: str, fatal: str) -> None:
    """Make a bundle aside and publish it.

    Args:
        fatal: Before which rename this process dies: 1 the version's own, 2 `activations`, 3 `current`; 0 none.
    """
    folder = Path(models)
    aside = folder / f".making-{version}" / version
    write_tiny_bundle(aside)
    print("made", flush=True)
    renames = 0
    rename = os.rename

    def mortal(source: str, target: str) -> None:
        nonlocal renames
        renames += 1
        if renames == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.rename = mortal  # type: ignore[assignment]  # what every way of renaming a path ends in
    publish(aside, folder, version)
    aside.parent.rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
