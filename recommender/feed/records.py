"""Records as bytes: a format version, a small header as JSON, then columns end to end."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_PREFIX: Final = struct.Struct("<HHI")
_ALIGN: Final = 8


def pack(version: int, header: dict[str, Any], columns: Sequence[npt.NDArray[Any]]) -> bytes:
    """A record of columns of one length.

    Args:
        version: Of the record's layout.
        header: What belongs to the whole record.
        columns: Wider dtypes before narrower ones, so that all can be mapped in place.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + _PREFIX.size) % _ALIGN)
    prefix = _PREFIX.pack(version, len(columns), len(text))
    return b"".join((prefix, text, *(np.ascontiguousarray(column).tobytes() for column in columns)))


def unpack(
    record: bytes, version: int, dtypes: Sequence[npt.DTypeLike]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]] | None:
    """Header and columns of a record, None where another layout wrote it."""
    if len(record) < _PREFIX.size:
        return None
    found, n_columns, length = _PREFIX.unpack_from(record)
    if (found, n_columns) != (version, len(dtypes)):
        return None
    at = _PREFIX.size + length
    header: dict[str, Any] = json.loads(record[_PREFIX.size : at])
    n = (len(record) - at) // sum(np.dtype(dtype).itemsize for dtype in dtypes)
    columns = []
    for dtype in dtypes:
        columns.append(np.frombuffer(record, dtype, n, at))
        at += n * np.dtype(dtype).itemsize
    return header, columns
