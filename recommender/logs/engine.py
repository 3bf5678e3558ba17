"""One DuckDB per reading or writing: bounded in memory, spilling into a folder that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Self

import duckdb
import numpy.typing as npt

from recommender.errors import ConfigurationError
from recommender.logs.batches import Batch, stream_batches

Progress = Callable[[float], None]


def ignore_progress(fraction: float) -> None:
    """Nobody watches."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """The progress of a part of the work, as a share of the whole's."""
    return lambda fraction: progress(start + (end - start) * fraction)


def literal(text: str) -> str:
    """SQL text for a string.

    Example:
        >>> literal("d'or")
        "'d''or'"
    """
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """SQL text for a column's name.

    Example:
        >>> print(name_of('a"b'))
        "a""b"
    """
    return '"' + column.replace('"', '""') + '"'


class Engine:
    """A private DuckDB; its spill folder lies below the system's temporary folder (`TMPDIR`).

    Args:
        memory: Limit of its buffers, such as `4GB`; beyond it, it spills.
        threads: How many it uses.

    Raises:
        ConfigurationError: The limit is not one, or did not suffice.
    """

    def __init__(self, memory: str, threads: int) -> None:
        self._memory = memory
        self._folder = tempfile.TemporaryDirectory(prefix="windowshop-logs-")
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": self._folder.name,
            # Nothing is ever fetched from elsewhere: what the wheel holds is enough.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            self._connection = duckdb.connect(config=settings)
        except duckdb.Error as error:
            self._folder.cleanup()
            raise ConfigurationError(f"memory {memory!r} cannot be used as a limit; write 512MB or 4GB") from error
        self.execute("SET TimeZone = 'UTC'")
        # Without these two `query_progress` stays silent; it is not printed.
        self.execute("SET enable_progress_bar = true")
        self.execute("SET enable_progress_bar_print = false")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        self._folder.cleanup()
        if isinstance(error, duckdb.OutOfMemoryException):
            raise ConfigurationError(f"the work needs more than memory = {self._memory!r}; give it more") from error

    def execute(self, sql: str, progress: Progress = ignore_progress) -> None:
        """Run a statement for what it does, telling its progress from the calling thread."""
        if progress is ignore_progress:
            self._connection.execute(sql)
            return
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._connection.execute, sql)
            try:
                while not wait([running], timeout=0.2).done:
                    progress(min(max(self._connection.query_progress(), 0.0) / 100.0, 1.0))
            except BaseException:
                self._connection.interrupt()
                raise
            running.result()
        progress(1.0)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return self._connection.execute(sql).fetchall()

    def arrays(self, sql: str) -> dict[str, npt.NDArray[Any]]:
        """All columns of a result that fits in memory; text as objects, masked where null."""
        columns: dict[str, npt.NDArray[Any]] = self._connection.execute(sql).fetchnumpy()
        return columns

    def stream(self, sql: str) -> Iterator[Batch]:
        """A result of numbers without nulls, batch by batch, in no order."""
        return stream_batches(self._connection, sql)

    def append(self, table: str, rows: Iterator[Sequence[object]]) -> None:
        """Append rows to a table as they come."""
        with self._connection.appender(table) as appender:
            appender.append_rows(rows)
