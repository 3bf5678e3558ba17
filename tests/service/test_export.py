"""What the nightly job is handed."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.config import Settings, StateSettings
from recommender.logs import read_edges, read_erased, read_events, read_items
from recommender.service.export import export_state
from recommender.state.live_items import LiveItem, Ruling, Target
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Event, Item, Kind
from tests.worlds import NOW_MS

SETTINGS = Settings(state=StateSettings(durability="process"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state in which ann signed in after looking around, bob was erased, and somebody stayed anonymous."""
    path = tmp_path / "state"
    state = open_state(path, SETTINGS.state, clock=lambda: NOW_MS)
    append(state, "pear", "", "s", NOW_MS - 9)
    append(state, "fig", "bob", "", NOW_MS - 8)
    append(state, "fig", "", "t", NOW_MS - 7)
    append(state, "apple", "ann", "s", NOW_MS)
    state.remove_user("bob")
    state.close()
    return path


def append(state: SqliteState, item_id: str, user_id: str, session_id: str, time_ms: int) -> None:
    event = Event(f"e-{item_id}", item_id, "view", user_id, session_id, time_ms, price=2.5)
    state.events.append([LoggedEvent(event, time_ms)])


def told(out: Path) -> list[tuple[str, str, str]]:
    table = read_events(out / "events", rejects_dir=None)
    users, sessions = [*table.user_ids, ""], [*table.session_ids, ""]
    rows = zip(table.items.tolist(), table.users.tolist(), table.sessions.tolist(), strict=True)
    return [(table.item_ids[item], users[user], sessions[session]) for item, user, session in rows]


def test_four_folders_hold_all_that_the_online_side_knows(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export_state(folder, out, None, SETTINGS) == {"events": 3, "items": 0, "edges": 0, "erased": 1}
    assert sorted(told(out)) == [("apple", "ann", "s"), ("fig", "", "t"), ("pear", "ann", "s")]
    assert read_erased(out / "erased").mask(["ann", "bob", "s"]).tolist() == [False, True, False]
    assert len(read_items(out / "items", rejects_dir=None).item_ids) == 0
    assert len(read_edges(out / "edges", rejects_dir=None)) == 0


def test_items_are_exported_as_they_were_last_sent(folder: Path, tmp_path: Path) -> None:
    state = open_state(folder, SETTINGS.state, clock=lambda: NOW_MS)
    pan = Item("pan", title="Pan", price=2.5, available=False, attributes={"Color": "red", "TITLE": "odd", 'a"b': "x"})
    pot = Item("pot", category="A > B", kind=Kind.POST, attributes={"color": "blue"})
    state.live_items.upsert([LiveItem(Item("pan", title="Old"), NOW_MS), LiveItem(pan, NOW_MS), LiveItem(pot, NOW_MS)])
    state.live_items.rule([Ruling(Target.ITEM, "pot", True, NOW_MS)])
    state.close()
    assert export_state(folder, tmp_path / "out", str(NOW_MS + 1), SETTINGS)["items"] == 2
    table = read_items(tmp_path / "out" / "items", rejects_dir=None)
    assert (table.item_ids, table.titles, table.available.tolist()) == (["pan", "pot"], ["Pan", ""], [False, True])
    assert (table.categories, table.kinds.tolist()) == (["", "A > B"], [Kind.PRODUCT, Kind.POST])
    assert {name.casefold(): values for name, values in table.attributes.items()} == {
        "color": ["red", "blue"],
        'a"b': ["x", None],
    }


def test_since_counts_arrivals_and_every_erased_user_is_told_all_the_same(folder: Path, tmp_path: Path) -> None:
    counts = export_state(folder, tmp_path / "out", str(NOW_MS - 7), SETTINGS)
    assert (counts["events"], counts["erased"]) == (2, 1)
    assert sorted(told(tmp_path / "out")) == [("apple", "ann", "s"), ("fig", "", "t")]


def test_the_same_state_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    state = open_state(folder, SETTINGS.state, clock=lambda: NOW_MS)
    for n in range(2_500):
        append(state, f"item-{n % 50}-{n}", f"user-{n % 20}", "", NOW_MS - n)
    for n in range(3):
        state.remove_user(f"user-{n}")
    state.close()
    for name in ("one", "two"):
        export_state(folder, tmp_path / name, None, SETTINGS)
    files = [path.relative_to(tmp_path / "one") for path in sorted((tmp_path / "one").rglob("*.parquet"))]
    assert len(files) == 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
