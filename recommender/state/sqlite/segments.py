"""Snapshots in append-only segments: one writer each, read by every process on the same state.

    <16 hex digits>.snap    magic | bound int64 | frames

A segment takes only records that expire before its bound, fixed when it is begun, so that one look at the header
tells when all of it may go. Its number is drawn at random and its file made exclusively: writers never collide.
"""

from __future__ import annotations

import os
import secrets
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.errors import StateError
from recommender.state.sqlite import frames
from recommender.state.sqlite.failures import from_os
from recommender.types import NEVER

_MAGIC: Final = b"WSSNAP1\n"
_FILE_HEADER: Final = struct.Struct("<8sq")
_BOUND_OFFSET: Final = 8
#: Segment, offset, length, check: 20 bytes.
_LOCATOR: Final = struct.Struct("<QIII")


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """How large snapshots may grow.

    Args:
        segment_bytes: A segment that would grow beyond is sealed and another begun; below 4 GiB.
        roll_ms: Span of expiries within one segment; the longer, the later its space comes back.
        total_bytes: Beyond it the segments that expire first are removed early.
    """

    segment_bytes: int = 64 * 1024 * 1024
    roll_ms: int = 300_000
    total_bytes: int = 4 * 1024 * 1024 * 1024


@dataclass(slots=True)
class _Active:
    """The segment that this process appends to."""

    number: int
    descriptor: int
    bound_ms: int
    end: int


class SegmentStore:
    """The snapshot store of one process; it reads the segments of all.

    Args:
        folder: Where segments live; made here.
        clock: The time in ms.
        limits: Sizes and spans.
    """

    def __init__(self, folder: Path, clock: Callable[[], int], limits: SegmentLimits | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._limits = limits or SegmentLimits()
        self._active: _Active | None = None
        self._descriptors: dict[int, int] = {}
        self._lock = threading.Lock()
        self._closed = False
        folder.mkdir(exist_ok=True)

    def put(self, record: bytes, expires_ms: int, owner: str = "") -> bytes:
        """Append a record to this process's segment and return its locator; survives the process, not a power cut.

        Raises:
            StateFullError: The disk is full.
            ValueError: The record is longer than 16 MiB.
        """
        frame, check = frames.pack(record, frames.owner_hash(owner), expires_ms)
        with self._lock:
            self._require_open()
            try:
                active = self._writable(len(frame), expires_ms)
                offset = active.end
                frames.write_whole(active.descriptor, frame, offset)
            except OSError as error:
                raise from_os(error, self._folder) from error
            active.end += len(frame)
        return _LOCATOR.pack(active.number, offset, len(record), check)

    def get(self, locator: bytes) -> bytes | None:
        """The record, or None where it expired, was removed, is torn or never was."""
        with self._lock:
            frame = self._frame(locator)
        return None if frame is None else frame.record

    def extend(self, locator: bytes, expires_ms: int) -> bool:
        """Let a record live until `expires_ms` where it would expire before; False where `get` would give None."""
        with self._lock:
            frame = self._frame(locator)
            if frame is not None and expires_ms > frame.stamp_ms:
                descriptor = self._descriptors[_LOCATOR.unpack(locator)[0]]
                # The bound first: a segment must never pass for expired while a record in it is alive.
                if expires_ms > _bound(descriptor):
                    frames.write_whole(descriptor, frames.STAMP.pack(expires_ms), _BOUND_OFFSET)
                frames.write_whole(descriptor, frames.STAMP.pack(expires_ms), frame.offset + frames.STAMP_OFFSET)
        return frame is not None

    def remove_owned(self, owners: Iterable[str]) -> int:
        """Overwrite all records put for these users or sessions, in every process's segments; how many there were."""
        hashes = frames.owner_hashes(owners)
        return sum(frames.remove_owned(path, _FILE_HEADER.size, hashes) for path, _ in self._segments())

    def owned(self, owners: Iterable[str]) -> list[bytes]:
        """All records put for these users or sessions that are on the disk, in every process's segments."""
        hashes = frames.owner_hashes(owners)
        return [frame.record for path, _ in self._segments() for frame in frames.owned(path, _FILE_HEADER.size, hashes)]

    def sweep(self) -> None:
        """Remove segments whose every record expired, then the soonest to expire beyond `total_bytes`."""
        with self._lock:
            now_ms = self._clock()
            held = sorted((bound_ms, path.stat().st_size, path) for path, bound_ms in self._segments())
            excess = sum(size for _, size, _ in held) - self._limits.total_bytes
            for bound_ms, size, path in held:
                if bound_ms <= now_ms or excess > 0:
                    path.unlink(missing_ok=True)
                    excess -= size
            # The space of a removed file comes back once no process holds it open.
            for number in [number for number in self._descriptors if not self._path(number).exists()]:
                self._forget(number)

    def close(self) -> None:
        """Release the files; safe to call twice."""
        with self._lock:
            self._closed = True
            for number in list(self._descriptors):
                self._forget(number)

    def _frame(self, locator: bytes) -> frames.Frame | None:
        """The frame that a locator names, if it is whole and alive."""
        self._require_open()
        if len(locator) != _LOCATOR.size:
            return None
        number, offset, length, check = _LOCATOR.unpack(locator)
        if length > frames.MAX_RECORD_BYTES:
            return None
        try:
            block = os.pread(self._descriptor(number), frames.HEADER.size + length, offset)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os(error, self._folder) from error
        frame = frames.unpack(block, offset)
        if frame is None or (len(frame.record), frame.check) != (length, check) or frame.stamp_ms <= self._clock():
            return None
        return frame

    def _writable(self, size: int, expires_ms: int) -> _Active:
        """The active segment if it has room for the record and its expiry, else a new one."""
        active = self._active
        if active is None or active.end + size > self._limits.segment_bytes or expires_ms > active.bound_ms:
            active = self._active = self._begin(min(expires_ms + self._limits.roll_ms, NEVER))
        return active

    def _begin(self, bound_ms: int) -> _Active:
        number = secrets.randbits(64)
        path = self._path(number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            frames.write_whole(descriptor, _FILE_HEADER.pack(_MAGIC, bound_ms), 0)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        self._descriptors[number] = descriptor
        return _Active(number, descriptor, bound_ms, _FILE_HEADER.size)

    def _descriptor(self, number: int) -> int:
        descriptor = self._descriptors.get(number)
        if descriptor is None:
            descriptor = self._descriptors[number] = os.open(self._path(number), os.O_RDWR | os.O_CLOEXEC)
        return descriptor

    def _forget(self, number: int) -> None:
        os.close(self._descriptors.pop(number))
        if self._active is not None and self._active.number == number:
            self._active = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016x}.snap"

    def _segments(self) -> Iterator[tuple[Path, int]]:
        """Every segment of every process with its bound; a file that is none, or not yet, is passed over."""
        for path in sorted(self._folder.glob("*.snap")):
            try:
                with path.open("rb") as file:
                    header = file.read(_FILE_HEADER.size)
            except FileNotFoundError:
                continue
            if len(header) == _FILE_HEADER.size and header.startswith(_MAGIC):
                yield path, _FILE_HEADER.unpack(header)[1]

    def _require_open(self) -> None:
        if self._closed:
            raise StateError(f"the snapshots in {self._folder} are closed in this process; open the state again")


def _bound(descriptor: int) -> int:
    return int(frames.STAMP.unpack(os.pread(descriptor, frames.STAMP.size, _BOUND_OFFSET))[0])
