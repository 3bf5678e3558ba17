"""Numbers out of DuckDB as a stream of numpy batches, through Arrow's C stream interface.

DuckDB's own `fetchnumpy` holds a whole result at once; pyarrow, which would stream it, is 170 MB that the base
install does without. Only what the readers need is here: columns of fixed width without nulls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

Batch = dict[str, npt.NDArray[Any]]

#: Arrow's format letters of the types that the readers ask for.
_DTYPES: Final[dict[bytes, type[np.generic]]] = {b"C": np.uint8, b"i": np.int32, b"l": np.int64, b"g": np.float64}


class _Schema(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    pass


_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


def stream_batches(connection: duckdb.DuckDBPyConnection, sql: str) -> Generator[Batch]:
    """Run a query and yield its result piece by piece, in whatever order DuckDB finishes it.

    Args:
        connection: Busy until the iterator is drained or closed.
        sql: Its columns are UTINYINT, INTEGER, BIGINT or DOUBLE and hold no null.

    Yields:
        {column: array}; the arrays are views that die with the next step, so copy out of them.

    Raises:
        duckdb.Error: The query failed, at the start or on the way.

    Source: The Arrow C stream interface, https://arrow.apache.org/docs/format/CStreamInterface.html
    """
    capsule = connection.sql(sql).__arrow_c_stream__()
    stream = _Stream.from_address(_pointer_of(capsule, b"arrow_array_stream"))
    columns = _columns(stream)
    while True:
        array = _Array()
        _require(stream, stream.get_next(ctypes.byref(stream), ctypes.byref(array)))
        if not array.release:
            return
        try:
            yield {name: _view(array.children[i].contents, dtype) for i, (name, dtype) in enumerate(columns)}
        finally:
            array.release(ctypes.byref(array))


def _columns(stream: _Stream) -> list[tuple[str, type[np.generic]]]:
    schema = _Schema()
    _require(stream, stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)))
    try:
        children = [schema.children[i].contents for i in range(schema.n_children)]
        return [(child.name.decode(), _DTYPES[child.format]) for child in children]
    finally:
        schema.release(ctypes.byref(schema))


def _view(array: _Array, dtype: type[np.generic]) -> npt.NDArray[Any]:
    width = np.dtype(dtype).itemsize
    if array.length == 0:
        return np.empty(0, dtype)
    start = array.buffers[1] + array.offset * width
    return np.frombuffer((ctypes.c_char * (array.length * width)).from_address(start), dtype)


def _require(stream: _Stream, code: int) -> None:
    if code != 0:
        reason = stream.get_last_error(ctypes.byref(stream))
        raise duckdb.Error(reason.decode(errors="replace") if reason else f"stream ended with code {code}")
