"""Which files a path means, and whether each is what its name says, before any engine opens them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from glob import glob, has_magic
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Final

from recommender.errors import InputError

_PARQUET_MAGIC: Final = b"PAR1"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_ZSTD_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)


class LogFormat(StrEnum):
    """How rows are written; each may be compressed but Parquet, which compresses itself."""

    PARQUET = "Parquet"
    CSV = "CSV"
    JSON_LINES = "JSON Lines"


_FORMATS: Final = {
    ".parquet": LogFormat.PARQUET,
    ".csv": LogFormat.CSV,
    ".jsonl": LogFormat.JSON_LINES,
    ".ndjson": LogFormat.JSON_LINES,
    ".json": LogFormat.JSON_LINES,
}
_COMPRESSIONS: Final = {".gz": _GZIP_MAGIC, ".zst": _ZSTD_MAGIC}
_WANTED: Final = "wanted .parquet, or .csv, .jsonl, .ndjson, .json, each plain or with .gz or .zst"


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The files of one table, all of one format, in the order in which they are read.

    Args:
        table: Name of the table, such as `events`; messages and the rejects file carry it.
        path: The file, folder or glob that was given.
        format: What all of them are.
        files: Sorted by path; at least one.
    """

    table: str
    path: str
    format: LogFormat
    files: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.table} {self.path}"


def find_files(path: str | os.PathLike[str], table: str) -> LogFiles:
    """Resolve a file, a folder (all files below it with a known suffix) or a glob, and look into each.

    Files whose names begin with `.` or `_` are left out of folders and globs, as Spark's own markers are.

    Raises:
        InputError: Nothing is there, formats are mixed, or a file is empty, cut off or not what its name says.
    """
    given = os.fspath(path)
    if not given:
        raise InputError(f"{table}: an empty path; name a file, a folder or a glob")
    candidates = _candidates(given, table)
    formats = {file: _format_of(file) for file in candidates}
    files = tuple(file for file in candidates if formats[file] is not None)
    if not files:
        raise InputError(f"{table} {given}: none of its {len(candidates)} files can be read by its name; {_WANTED}")
    kinds = {kind for kind in formats.values() if kind is not None}
    if len(kinds) > 1:
        examples = ", ".join(f"{kind} ({next(f.name for f in files if formats[f] == kind)})" for kind in sorted(kinds))
        raise InputError(f"{table} {given}: mixes {examples}; give one format at a time")
    log = LogFiles(table, given, kinds.pop(), files)
    for file in files:
        _check(file, log)
    return log


@contextmanager
def unchanged(log: LogFiles) -> Iterator[None]:
    """Refuse files that change while they are read: they are read more than once and must say the same.

    Raises:
        InputError: Naming the file.
    """
    before = [_state_of(file) for file in log.files]
    try:
        yield
    finally:
        changed = [file for file, state in zip(log.files, before, strict=True) if _state_of(file) != state]
        if changed:
            raise InputError(f"{log.table} {changed[0]}: changed while it was read; wait for its writer and run again")


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _candidates(given: str, table: str) -> list[Path]:
    place = Path(given)
    if place.is_dir():
        found = sorted(_below(place))
        if not found:
            raise InputError(f"{table} {given}: a folder without files; {_WANTED}")
        return found
    if has_magic(given) and not os.path.lexists(place):
        matches = map(Path, glob(given, recursive=True))  # noqa: PTH207  Path.glob knows no absolute patterns
        found = sorted(file for file in matches if not _is_hidden(file) and not file.is_dir())
        if not found:
            raise InputError(f"{table} {given}: no file matches the pattern")
        return found
    if not os.path.lexists(place):
        raise InputError(f"{table} {given}: no such file or folder")
    return [place]


def _below(folder: Path) -> Iterable[Path]:
    # os.walk does not follow links to folders, so a loop of links ends.
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_hidden(Path(name))]
        yield from (Path(root, name) for name in names if not _is_hidden(Path(name)))


def _is_hidden(file: Path) -> bool:
    return file.name.startswith((".", "_"))


def compression_of(file: Path) -> str | None:
    """`.gz`, `.zst` or None, by the name."""
    suffix = file.suffix.lower()
    return suffix if suffix in _COMPRESSIONS else None


def runs_of(keys: Sequence[object]) -> Iterator[range]:
    """Indices of neighbours with equal keys, run by run: what can be read together without changing the order.

    Example:
        >>> list(runs_of(["a", "a", "b", "a"]))
        [range(0, 2), range(2, 3), range(3, 4)]
    """
    start = 0
    for _, group in groupby(keys):
        stop = start + len(list(group))
        yield range(start, stop)
        start = stop


def _format_of(file: Path) -> LogFormat | None:
    if compression_of(file) is None:
        return _FORMATS.get(file.suffix.lower())
    inner = _FORMATS.get(Path(file.stem).suffix.lower())
    return None if inner is LogFormat.PARQUET else inner


def _check(file: Path, log: LogFiles) -> None:
    """Refuse what is empty, cut off, or of another kind than its name, with a sentence that names the file."""
    try:
        with file.open("rb") as stream:
            problem = _problem(stream, file, log.format)
    except OSError as error:
        problem = f"cannot be opened: {error.strerror or error}"
    if problem is not None:
        raise InputError(f"{log.table} {file}: {problem}")


def _problem(stream: BinaryIO, file: Path, wanted: LogFormat) -> str | None:
    head = stream.read(4)
    if not head:
        return "is empty (0 bytes); leave it out or write it anew"
    compression = compression_of(file)
    if compression is not None:
        if not head.startswith(_COMPRESSIONS[compression]):
            return f"is named {compression} but does not begin as such a file; rename it or write it anew"
        return _zstd_problem(stream) if compression == ".zst" else _gzip_problem(file)
    if wanted is LogFormat.PARQUET:
        return _parquet_problem(stream, head)
    if head == _PARQUET_MAGIC or head.startswith((*_COMPRESSIONS.values(), *_UTF16_MARKS)):
        return f"is not {wanted} in UTF-8: it begins with the bytes {head.hex(' ')}; rename it or convert it"
    return None


def _parquet_problem(stream: BinaryIO, head: bytes) -> str | None:
    if head != _PARQUET_MAGIC:
        return f"is not Parquet: it begins with the bytes {head.hex(' ')}; rename it or write it anew"
    stream.seek(-4, os.SEEK_END)
    if stream.read(4) != _PARQUET_MAGIC or stream.tell() < 12:
        return "is a Parquet file that was cut off: its end is missing; write or copy it anew"
    return None


def _gzip_problem(file: Path) -> str | None:
    """Only that there is something inside: the engine itself notices a stream that was cut off."""
    try:
        with gzip.open(file) as content:
            return None if content.read(1) else "holds nothing once unpacked; leave it out or write it anew"
    except (EOFError, OSError):
        return "is damaged or was cut off; write or copy it anew"


def _zstd_problem(stream: BinaryIO) -> str | None:
    """Walk the frames by their lengths, without unpacking: the engine takes a cut for the end.

    Source: RFC 8878, section 3.
    """
    stream.seek(0, os.SEEK_END)
    size = stream.tell()
    stream.seek(0)
    while stream.tell() < size:
        if not _skip_zstd_frame(stream) or stream.tell() > size:
            return "is damaged or was cut off; write or copy it anew"
    return None


def _skip_zstd_frame(stream: BinaryIO) -> bool:
    magic = stream.read(4)
    if int.from_bytes(magic, "little") in _ZSTD_SKIPPABLE:
        stream.seek(int.from_bytes(stream.read(4), "little"), os.SEEK_CUR)
        return True
    descriptor = stream.read(1)
    if magic != _ZSTD_MAGIC or not descriptor:
        return False
    flags = descriptor[0]
    single_segment, checksum = bool(flags & 0x20), bool(flags & 0x04)
    content_size = (1 if single_segment else 0, 2, 4, 8)[flags >> 6]
    dictionary = (0, 1, 2, 4)[flags & 0x03]
    stream.seek((not single_segment) + dictionary + content_size, os.SEEK_CUR)
    while len(header := stream.read(3)) == 3:
        block = int.from_bytes(header, "little")
        is_last, kind, length = block & 1, block >> 1 & 3, block >> 3
        stream.seek(1 if kind == 1 else length, os.SEEK_CUR)
        if is_last:
            stream.seek(4 * checksum, os.SEEK_CUR)
            return True
    return False
