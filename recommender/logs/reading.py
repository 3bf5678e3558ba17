"""What every reader begins with: find the files, open an engine, bring the files into one relation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recommender.logs.columns import Field
from recommender.logs.engine import Engine, Progress, ignore_progress
from recommender.logs.files import LogFormat, find_files, unchanged
from recommender.logs.parquet import scan_parquet
from recommender.logs.scan import Scan, readable
from recommender.logs.text import scan_text


@contextmanager
def open_table(
    path: str | os.PathLike[str],
    table: str,
    fields: Sequence[Field],
    *,
    keep_attributes: bool,
    memory: str,
    threads: int,
    progress: Progress = ignore_progress,
) -> Iterator[tuple[Engine, Scan]]:
    """The files of a table as a relation in an engine of their own, which ends with the block.

    Args:
        path: File, folder or glob.
        table: Name for messages and the rejects file.
        keep_attributes: Whether columns beside the fields are read.
        progress: Told of the work that comes before the first query; none for Parquet.

    Raises:
        InputError: The files cannot be read, also where that shows only inside the block.
        ConfigurationError: The memory does not suffice.
    """
    log = find_files(path, table)
    with unchanged(log), Engine(memory, threads) as engine, readable(log):
        if log.format is LogFormat.PARQUET:
            scan = scan_parquet(engine, log, fields, keep_attributes=keep_attributes)
        else:
            scan = scan_text(engine, log, fields, keep_attributes=keep_attributes, progress=progress)
        yield engine, scan
