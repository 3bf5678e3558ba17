from __future__ import annotations

from tests.state.contract import ItemNumbersContract, ServedLogContract, SnapshotStoreContract, StateContract
from tests.state.events_contract import EventLogContract, TieContract
from tests.state.live_items_contract import LiveItemsContract
from tests.state.people_contract import PeopleContract


class TestSqliteEventLog(EventLogContract): ...


class TestSqliteTies(TieContract): ...


class TestSqliteItemNumbers(ItemNumbersContract): ...


class TestSegmentStore(SnapshotStoreContract): ...


class TestServedFiles(ServedLogContract): ...


class TestPeople(PeopleContract): ...


class TestSqliteState(StateContract): ...


class TestSqliteLiveItems(LiveItemsContract): ...
