"""Which version is live, which were before it, and how another one becomes live: by one rename, flushed.

`current` names the live version. `activations` beside it lists the versions that were activated, oldest first; what
stands there after the last mention of the live one was rolled back or never became live, and counts for nothing. So
each of the two files can be behind the other, after a crash or an edit by hand, and the way back is still the right
one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recommender.bundle.manifest import MANIFEST_NAME
from recommender.bundle.read import CURRENT_NAME, Bundle, list_versions, open_bundle
from recommender.errors import BundleError

ACTIVATIONS_NAME: Final = "activations"
#: Changes take milliseconds; who takes longer was stopped in the middle.
LOCK_SECONDS: Final = 2.0
_REMEMBERED: Final = 100


@contextmanager
def locked(models: Path) -> Iterator[None]:
    """Nobody else activates, rolls back or removes versions of this folder until the block ends.

    Raises:
        BundleError: Somebody else does so, and does not come to an end.
    """
    descriptor = os.open(models, os.O_RDONLY)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise BundleError(f"another process has been changing {models} for {LOCK_SECONDS:g} s; try again later")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_version(models: Path, version: str) -> Bundle:
    """Open a version, verified.

    Raises:
        BundleError: It is not there, damaged, of another format version, or another one under this name.
    """
    bundle = open_bundle(models / version, verify=True)
    if bundle.version != version:
        raise BundleError(
            f"bundle {bundle.folder} is foreign: its {MANIFEST_NAME} says that it is {bundle.version}; "
            "give the folder that name"
        )
    return bundle


def activate(models: Path, version: str) -> None:
    """Make a version, which the caller verified, the live one.

    Raises:
        BundleError: It is not there any more, or the folder cannot be written; the live one stays.
    """
    with _changing(models, version):
        trail = _trail(models)
        if trail[-1:] != [version]:
            _replace(models / ACTIVATIONS_NAME, [*trail, version][-_REMEMBERED:])
        if live_name(models) != version:
            _replace(models / CURRENT_NAME, [version])


def roll_back(models: Path, version: str) -> None:
    """Make `version`, which `previous_version` named and the caller verified, live again.

    Raises:
        BundleError: It is not there any more, or the folder cannot be written; the live one stays.
    """
    with _changing(models, version):
        trail = _trail(models)
        _replace(models / CURRENT_NAME, [version])
        while trail and trail[-1] != version:
            trail.pop()
        _replace(models / ACTIVATIONS_NAME, trail or [version])


def previous_version(models: Path) -> str | None:
    """The version that was live before the present one and is still there, None where there is none.

    Activating goes forward, rolling back goes back one step each time: after A, B, C it leads to B, then to A.
    """
    trail = _trail(models)
    present = set(list_versions(models)) - set(trail[-1:])
    return next((version for version in reversed(trail[:-1]) if version in present), None)


def _trail(models: Path) -> list[str]:
    """Versions in the order in which they became live, the live one last."""
    try:
        activated = (models / ACTIVATIONS_NAME).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        activated = []
    live = live_name(models)
    if not live:
        return activated
    if live not in activated:
        return [*activated, live]
    return activated[: len(activated) - activated[::-1].index(live)]


def live_name(models: Path) -> str:
    """The name of the live version: what `current` says, right or wrong; empty where it says nothing."""
    try:
        return (models / CURRENT_NAME).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def _changing(models: Path, version: str) -> Iterator[None]:
    try:
        with locked(models):
            if version not in list_versions(models):
                raise BundleError(f"{models} has no version {version!r} any more; list them: windowshop models list")
            yield
    except OSError as error:
        raise BundleError(f"cannot make {version} live: {error.filename or models}: {error.strerror}") from error


def _replace(path: Path, lines: list[str]) -> None:
    """Write a small file by rename, so that a crash leaves the old one or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
