from __future__ import annotations

from tests.state.contract import (
    EventLogContract,
    ItemNumbersContract,
    ServedLogContract,
    SnapshotStoreContract,
    StateContract,
)


class TestSqliteEventLog(EventLogContract): ...


class TestSqliteItemNumbers(ItemNumbersContract): ...


class TestSegmentStore(SnapshotStoreContract): ...


class TestServedFiles(ServedLogContract): ...


class TestSqliteState(StateContract): ...
