"""Records of what was served, in append-only files per worker, written by a thread beside the replies.

    <first ms>-<worker>-<8 hex digits>.log    magic | frames

A record waits in memory for at most a quarter of a second; where the disk cannot follow, records are dropped and
counted, and no reply ever waits.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from recommender.state.sqlite import frames

_LOG: Final = logging.getLogger(__name__)
_MAGIC: Final = b"WSSERVE\n"
FLUSH_SECONDS: Final = 0.25
_SWEEP_SECONDS: Final = 60.0
#: A file is closed for good after this span or size, so that retention can go by whole files.
_ROLL_MS: Final = 86_400_000
_ROLL_BYTES: Final = 64 * 1024 * 1024


class ServedFiles:
    """The served log of one process; it reads the files of all.

    Args:
        folder: Where the files live; made here.
        clock: The time in ms.
        worker: Name of this process in its files' names, for people's eyes.
        retention_ms: How long a record is kept.
        syncs: Whether each write is brought to the disk (`state.durability = "disk"`).
        queue_bytes: Records beyond it that wait for the disk are dropped.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], int],
        worker: str,
        retention_ms: int,
        *,
        syncs: bool,
        queue_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        #: Records that were lost because the disk could not follow.
        self.dropped = 0
        self._folder = folder
        self._clock = clock
        self._worker = re.sub(r"[^A-Za-z0-9_.]", "_", worker)
        self._retention_ms = retention_ms
        self._syncs = syncs
        self._queue_bytes = queue_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._gate = threading.Lock()
        self._file_lock = threading.Lock()
        self._descriptor = -1
        self._end = 0
        self._begun_ms = 0
        folder.mkdir(exist_ok=True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="windowshop-served", daemon=True)
        self._thread.start()

    def write(self, record: bytes, owner: str = "") -> None:
        """Queue one record; drop and count it where the queue is full or closed."""
        frame, _ = frames.pack(record, frames.owner_hash(owner), self._clock())
        with self._gate:
            if self._stop.is_set() or self._pending_bytes + len(frame) > self._queue_bytes:
                self.dropped += 1
                return
            self._pending.append(frame)
            self._pending_bytes += len(frame)

    def records(self) -> Iterator[bytes]:
        """All whole records of every process, file by file in the order of their beginning."""
        self.flush()
        for path in self._files():
            try:
                for frame in frames.walk(path, len(_MAGIC)):
                    if frame.stamp_ms != frames.REMOVED:
                        yield frame.record
            except FileNotFoundError:
                continue  # outlived its retention meanwhile

    def remove_owned(self, owners: Iterable[str]) -> int:
        """Overwrite all records written for these users or sessions, in every process's files; how many there were."""
        self.flush()
        hashes = frames.owner_hashes(owners)
        return sum(frames.remove_owned(path, len(_MAGIC), hashes) for path in self._files())

    def owned(self, owners: Iterable[str]) -> list[bytes]:
        """All records written for these users or sessions, in every process's files."""
        self.flush()
        hashes = frames.owner_hashes(owners)
        return [frame.record for path in self._files() for frame in frames.owned(path, len(_MAGIC), hashes)]

    def flush(self) -> None:
        """Write what is queued now."""
        with self._file_lock:
            with self._gate:
                pending, self._pending = self._pending, []
                self._pending_bytes = 0
            if not pending:
                return
            try:
                self._append(b"".join(pending))
            except OSError as error:
                _LOG.warning("%d served records lost: %s cannot be written (%s)", len(pending), self._folder, error)
                with self._gate:
                    self.dropped += len(pending)

    def sweep(self) -> None:
        """Remove the files whose every record is older than the retention."""
        before_ms = self._clock() - self._retention_ms - _ROLL_MS
        for path in self._files():
            if _begun_ms(path) < before_ms:
                path.unlink(missing_ok=True)
        with self._file_lock:
            # The space of a removed file comes back once no process holds it open, also one that serves nobody.
            if self._descriptor >= 0 and self._begun_ms < before_ms:
                os.close(self._descriptor)
                self._descriptor = -1

    def close(self) -> None:
        """Write what is queued and end the thread; safe to call twice."""
        with self._gate:
            self._stop.set()
        self._thread.join()
        with self._file_lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _run(self) -> None:
        sweep_due = time.monotonic()
        while not self._stop.wait(FLUSH_SECONDS):
            self.flush()
            if time.monotonic() >= sweep_due:
                sweep_due = time.monotonic() + _SWEEP_SECONDS
                self._try_sweep()
        self.flush()

    def _try_sweep(self) -> None:
        try:
            self.sweep()
        except OSError as error:
            _LOG.warning("old served records in %s cannot be removed (%s); it is tried again", self._folder, error)

    def _append(self, block: bytes) -> None:
        now_ms = self._clock()
        rolls = self._end + len(block) > _ROLL_BYTES or now_ms >= self._begun_ms + _ROLL_MS
        if self._descriptor < 0 or rolls:
            self._begin(now_ms)
        frames.write_whole(self._descriptor, block, self._end)
        self._end += len(block)
        if self._syncs:
            os.fdatasync(self._descriptor)

    def _begin(self, now_ms: int) -> None:
        path = self._folder / f"{now_ms:015d}-{self._worker}-{secrets.token_hex(4)}.log"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._begun_ms, self._end = descriptor, now_ms, 0
        frames.write_whole(descriptor, _MAGIC, 0)
        self._end = len(_MAGIC)

    @staticmethod
    def files_in(folder: Path) -> list[Path]:
        """The served files of all processes, in the order of their beginning."""
        return sorted(path for path in folder.glob("*-*.log") if path.name.split("-")[0].isdigit())

    def _files(self) -> list[Path]:
        return self.files_in(self._folder)


def _begun_ms(path: Path) -> int:
    return int(path.name.split("-")[0])
