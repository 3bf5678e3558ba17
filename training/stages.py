"""Finished stages kept by content hash, so that a killed job resumes where it stood."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def content_key(*parts: Any) -> str:
    """Hex key of what a stage depends on; parts must be JSON-able."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


class StageStore:
    """Folders of finished stages, each built aside and renamed, so that a half-built one is never taken for whole.

    Args:
        folder: Where they live; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._used: set[str] = set()

    def run(self, name: str, key: str, build: Callable[[Path], None]) -> Path:
        """The stage's folder: the kept one of that name and key, else a new one that `build` fills."""
        place = f"{name}-{key}"
        self._used.add(place)
        done = self._folder / place
        if not done.is_dir():
            aside = self._folder / f".{place}.{os.getpid()}"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            build(aside)
            aside.rename(done)
        return done

    def record(self, name: str, key: str) -> Path:
        """The file of a record that grows line by line, in this run and in those that go on with it."""
        place = f"{name}-{key}.jsonl"
        self._used.add(place)
        return self._folder / place

    def sweep(self) -> None:
        """Remove what this run did not use: earlier inputs' stages and what killed runs left half-built."""
        for path in self._folder.iterdir():
            if path.name in self._used:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
