from __future__ import annotations

from tests.state.contract import ItemNumbersContract, ServedLogContract, SnapshotStoreContract, StateContract
from tests.state.events_contract import EventLogContract, TieContract


class TestSqliteEventLog(EventLogContract): ...


class TestSqliteTies(TieContract): ...


class TestSqliteItemNumbers(ItemNumbersContract): ...


class TestSegmentStore(SnapshotStoreContract): ...


class TestServedFiles(ServedLogContract): ...


class TestSqliteState(StateContract): ...
