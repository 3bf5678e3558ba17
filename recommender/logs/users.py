"""What is known of users, as text."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.logs.columns import Field, FieldKind, id_problem
from recommender.logs.reading import open_table
from recommender.logs.rejects import ReadReport
from recommender.logs.rows import keep_rows

_FIELDS: Final = (Field("user_id", FieldKind.ID, required=True),)


@dataclass(frozen=True, slots=True)
class UserTable:
    """Users sorted by id.

    Args:
        attributes: {column: text or None}, such as `country` or `age_band`.
        report: What was read and what was not.
    """

    user_ids: list[str]
    attributes: dict[str, list[str | None]]
    report: ReadReport

    def __len__(self) -> int:
        return len(self.user_ids)


def read_users(
    path: str | os.PathLike[str],
    *,
    rejects_dir: Path | None,
    max_reject_rate: float = 0.05,
    memory: str = "4GB",
    threads: int = 2,
) -> UserTable:
    """Read the users: files, folder or glob of Parquet, CSV or JSON Lines. Of rows with one id the last counts.

    Args:
        path: What to read.
        rejects_dir: Folder for `users.rejects.jsonl`; None counts rejected rows and writes none.
        max_reject_rate: Largest share of unusable rows.
        memory: Limit of DuckDB's buffers; the returned columns come on top.
        threads: How many DuckDB uses.

    Raises:
        InputError: No file can be used as a users file; the message names file, column or rows.
        ConfigurationError: The memory does not suffice.
    """
    with open_table(path, "users", _FIELDS, keep_attributes=True, memory=memory, threads=threads) as (engine, scan):
        problems = [id_problem("user_id", "missing_user_id")]
        kept = keep_rows(engine, scan, _FIELDS, problems, rejects_dir, max_reject_rate)
        return UserTable(kept.text("user_id"), kept.attributes, kept.report)
