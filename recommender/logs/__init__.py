"""The contract's files: columns, reading with rejects, writing. See README.md beside this file."""

from recommender.logs.edges import EdgeTable, read_edges
from recommender.logs.erased import ErasedUsers, erased_hash, read_erased
from recommender.logs.events import EventTable, read_events
from recommender.logs.items import ItemTable, read_items
from recommender.logs.rejects import ReadReport
from recommender.logs.users import UserTable, read_users
from recommender.logs.writing import (
    EdgeRow,
    LoggedRow,
    write_edges,
    write_erased,
    write_erased_hashes,
    write_events,
    write_items,
)

__all__ = [
    "EdgeRow",
    "EdgeTable",
    "ErasedUsers",
    "EventTable",
    "ItemTable",
    "LoggedRow",
    "ReadReport",
    "UserTable",
    "erased_hash",
    "read_edges",
    "read_erased",
    "read_events",
    "read_items",
    "read_users",
    "write_edges",
    "write_erased",
    "write_erased_hashes",
    "write_events",
    "write_items",
]
