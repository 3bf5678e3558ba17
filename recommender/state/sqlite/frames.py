"""Records in append-only files: each behind a header by which a reader knows it whole, timely and whose.

    length uint32 | check uint32 | owner uint64 | stamp int64 | record

`check` is the CRC-32 of length, owner and record. `stamp` is a time that may be moved later on (an expiry) and is
therefore outside of it. A removed record is a whole frame of zeros with the stamp `REMOVED`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.types import NO_TIME

HEADER: Final = struct.Struct("<IIQq")
STAMP_OFFSET: Final = 16
STAMP: Final = struct.Struct("<q")
REMOVED: Final = NO_TIME
#: A longer record is refused, and a longer length read back is damage.
MAX_RECORD_BYTES: Final = 16 * 1024 * 1024

_CHECKED: Final = struct.Struct("<IQ")


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole record.

    Args:
        offset: Byte of its header in the file.
        check: Its checksum, which a locator repeats.
        owner: Hash of whose it is, by `owner_hash`; 0 nobody's.
        stamp_ms: Its time, `REMOVED` where it was removed.
    """

    offset: int
    check: int
    owner: int
    stamp_ms: int
    record: bytes


def owner_hash(owner: str) -> int:
    """64 bits that stand for a user or session id, by which its records are found; 0 for nobody."""
    if not owner:
        return 0
    return int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest(), "little")


def pack(record: bytes, owner: int, stamp_ms: int) -> tuple[bytes, int]:
    """The bytes of a frame, and its checksum.

    Raises:
        ValueError: The record is longer than `MAX_RECORD_BYTES`.
    """
    if len(record) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(record)} bytes, at most {MAX_RECORD_BYTES} can be kept; make it smaller")
    check = _check(record, owner)
    return HEADER.pack(len(record), check, owner, stamp_ms) + record, check


def unpack(block: bytes, offset: int = 0) -> Frame | None:
    """The frame in a block that holds exactly one, or None where it is torn or damaged."""
    if len(block) < HEADER.size:
        return None
    length, check, owner, stamp_ms = HEADER.unpack_from(block)
    record = block[HEADER.size :]
    if length != len(record) or check != _check(record, owner):
        return None
    return Frame(offset, check, owner, stamp_ms, record)


def walk(path: Path, start: int) -> Iterator[Frame]:
    """All whole frames of a file in order, up to its end or the first that is torn.

    Args:
        path: A file of frames behind a header of `start` bytes.
    """
    with path.open("rb") as file:
        offset = file.seek(start)
        while len(header := file.read(HEADER.size)) == HEADER.size:
            length = HEADER.unpack(header)[0]
            if length > MAX_RECORD_BYTES:
                return
            frame = unpack(header + file.read(length), offset)
            if frame is None:
                return
            yield frame
            offset += HEADER.size + length


def owned(path: Path, start: int, owners: frozenset[int]) -> Iterator[Frame]:
    """Every record of these owners; none where the file is gone meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        yield from (frame for frame in walk(path, start) if frame.owner in owners)


def remove_owned(path: Path, start: int, owners: frozenset[int]) -> int:
    """Overwrite every record of these owners with zeros; how many there were. Its writer may go on appending."""
    found = list(owned(path, start, owners))
    if found:
        with path.open("r+b") as file:
            for frame in found:
                file.seek(frame.offset)
                file.write(pack(bytes(len(frame.record)), 0, REMOVED)[0])
            file.flush()
            os.fsync(file.fileno())
    return len(found)


def owner_hashes(owners: Iterable[str]) -> frozenset[int]:
    """The hashes of all owners that are somebody."""
    return frozenset(owner_hash(owner) for owner in owners if owner)


def write_whole(descriptor: int, block: bytes, offset: int) -> None:
    """Write a block at an offset, all of it or an error.

    Raises:
        OSError: The disk did not take all of it; the file holds a torn tail that the next block overwrites.
    """
    done = 0
    while done < len(block):
        done += os.pwrite(descriptor, block[done:], offset + done)


def _check(record: bytes, owner: int) -> int:
    return zlib.crc32(record, zlib.crc32(_CHECKED.pack(len(record), owner)))
