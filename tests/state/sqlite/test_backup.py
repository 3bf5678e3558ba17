from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.errors import StateError
from recommender.state.sqlite import SqliteState, back_up, open_state, restore
from tests.state.contract import DUPLICATE, NOON, ManualClock, items_of, logged
from tests.state.live_items_contract import live
from tests.state.sqlite.conftest import QUICK
from tests.state.sqlite.processes import event

OpenState = Callable[[], SqliteState]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    return tmp_path / "restored"


@pytest.fixture
def open_restored(restored: Path, clock: ManualClock) -> Iterator[OpenState]:
    opened: list[SqliteState] = []

    def open_one() -> SqliteState:
        opened.append(open_state(restored, QUICK, clock=clock))
        return opened[-1]

    yield open_one
    for state in opened:
        state.close()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_but_snapshots_comes_back(
    state: SqliteState, folder: Path, out: Path, restored: Path, open_restored: OpenState, clock: ManualClock
) -> None:
    events = [logged(f"item-{n % 9}", "ann", "s", event_type="hide" if n % 5 == 0 else "view") for n in range(50)]
    state.events.append([logged("pear", session="s"), *events])
    numbers = state.numbers.bundle_numbers("bundle", [f"item-{n}" for n in range(40)]).tolist()
    keys, locator = state.signing_keys(), state.snapshots.put(b"list", NOON + 9)
    state.served.write(b"page", "ann")
    state.served.flush()
    state.remove_user("bob")
    written = back_up(folder, out, NOON)
    assert (written.events, written.created_ms) == (51, NOON)
    assert stat.S_IMODE((out / "signing.key").stat().st_mode) == 0o600
    assert restore(out, restored, clock, replace=False).former is None
    later = open_restored()
    assert list(later.events.events()) == list(state.events.events())
    assert later.events.append(events) == [DUPLICATE] * 50
    assert items_of(later, "ann") == items_of(state, "ann")
    assert later.events.hidden("ann", "").tolist() == state.events.hidden("ann", "").tolist()
    assert later.numbers.numbers([f"item-{n}" for n in range(40)]).tolist() == numbers
    assert later.numbers.bundle_numbers("bundle", [f"item-{n}" for n in range(40)]).tolist() == numbers
    assert later.signing_keys() == keys
    assert list(later.served.records()) == [b"page"]
    assert later.erased() == state.erased()
    assert later.snapshots.get(locator) is None
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [restored, *restored.rglob("*.db"), out])


def test_what_was_acknowledged_before_is_in_a_backup_taken_while_two_processes_write(
    folder: Path, out: Path, restored: Path, open_restored: OpenState, clock: ManualClock
) -> None:
    command = [sys.executable, "-m", "tests.state.sqlite.processes", "write", str(folder)]
    writers = [
        subprocess.Popen([*command, f"w{n}", "process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(2)
    ]
    acknowledged: list[str] = []

    def listen(writer: subprocess.Popen[str]) -> None:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged.extend(json.loads(line)["ids"])

    listeners = [threading.Thread(target=listen, args=(writer,)) for writer in writers]
    try:
        for listener in listeners:
            listener.start()
        for n in range(3):
            while len(acknowledged) < 800 * (n + 1):
                assert all(writer.poll() is None for writer in writers)
            before = list(acknowledged)
            back_up(folder, out.with_name(f"backup-{n}"), NOON)
    finally:
        for writer in writers:
            writer.kill()
        for listener in listeners:
            listener.join()
        for writer in writers:
            writer.communicate()
    restore(out.with_name("backup-2"), restored, clock, replace=False)
    state = open_restored()
    found = Counter(stored.event.event_id for stored in state.events.events())
    assert set(before) <= set(found)
    assert set(found.values()) == {1}
    state.check()


def test_the_copy_of_a_damaged_file_passes_for_no_backup(state: SqliteState, folder: Path, out: Path) -> None:
    state.live_items.upsert([live("apple"), live("fig")])
    assert back_up(folder, out.with_name("whole"), NOON).records == 2
    state.close()
    content = bytearray((folder / "catalog.db").read_bytes())
    content[content.rindex(b"apple")] ^= 1  # in the index, so that it is not what the table has
    (folder / "catalog.db").write_bytes(content)
    with pytest.raises(StateError, match=r"catalog\.db"):
        back_up(folder, out, NOON)
    assert not out.exists()


@pytest.mark.parametrize("name", ["events.db", "catalog.db", "signing.key", "backup.json"])
def test_a_backup_with_a_flipped_byte_is_refused(
    state: SqliteState, folder: Path, out: Path, restored: Path, clock: ManualClock, name: str
) -> None:
    state.events.append([logged("apple", "ann")])
    state.signing_keys()
    back_up(folder, out, NOON)
    content = bytearray((out / name).read_bytes())
    content[len(content) // 2] ^= 0x20
    (out / name).write_bytes(content)
    with pytest.raises(StateError, match=r"damaged|no backup"):
        restore(out, restored, clock, replace=False)
    assert not restored.exists()
    assert sorted(path.name for path in out.parent.iterdir()) == ["backup", "state"]


def test_a_backup_that_lacks_a_file_and_a_folder_that_is_none_are_refused(
    state: SqliteState, folder: Path, out: Path, restored: Path, clock: ManualClock
) -> None:
    back_up(folder, out, NOON)
    (out / "events.db").unlink()
    with pytest.raises(StateError, match="damaged"):
        restore(out, restored, clock, replace=False)
    for nothing in (folder, restored):
        with pytest.raises(StateError, match="holds no backup"):
            restore(nothing, restored, clock, replace=False)


def test_a_state_is_replaced_only_when_told_and_never_while_it_is_open(
    state: SqliteState, folder: Path, out: Path, clock: ManualClock, open_another: OpenState
) -> None:
    state.events.append([logged("apple", "ann")])
    back_up(folder, out, NOON)
    state.events.append([logged("fig", "ann")])
    with pytest.raises(StateError, match="not empty"):
        restore(out, folder, clock, replace=False)
    with pytest.raises(StateError, match="in use"):
        restore(out, folder, clock, replace=True)
    state.close()
    former = restore(out, folder, clock, replace=True).former
    assert former is not None
    assert items_of(open_another(), "ann") == ["apple"]
    kept = open_state(former, QUICK, clock=clock)
    assert items_of(kept, "ann") == ["apple", "fig"]
    kept.close()


def test_a_user_erased_since_the_backup_is_erased_again(
    state: SqliteState, folder: Path, out: Path, clock: ManualClock, open_another: OpenState
) -> None:
    state.events.append([logged("apple", "ann-user"), logged("fig", "bob")])
    state.served.write(b"ann-user's page", "ann-user")
    state.served.flush()
    back_up(folder, out, NOON)
    for user in ("ann-user", "known to the nightly job alone"):
        state.remove_user(user)
    erased = state.erased()
    state.close()
    assert restore(out, folder, clock, replace=True).erased_since == 1
    again = open_another()
    assert again.erased() == erased
    assert [stored.event.user_id for stored in again.events.events()] == ["bob"]
    assert b"ann-user" not in b"".join(files(folder).values())


def test_a_place_that_is_taken_is_refused_and_nothing_is_left_of_a_backup_that_failed(
    state: SqliteState, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.mkdir()
    back_up(folder, out, NOON)
    before = files(out)
    with pytest.raises(StateError, match="not an empty folder"):
        back_up(folder, out, NOON)
    assert files(out) == before
    with pytest.raises(StateError, match="holds no state"):
        back_up(out / "none", out.with_name("other"), NOON)

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StateError, match="free space"):
        back_up(folder, out.with_name("other"), NOON)
    assert sorted(path.name for path in out.parent.iterdir()) == ["backup", "state"]


def test_an_event_appended_after_a_restore_gets_a_number_and_a_place_of_its_own(
    state: SqliteState, folder: Path, out: Path, restored: Path, open_restored: OpenState, clock: ManualClock
) -> None:
    state.events.append([event("ann", "e1"), event("ann", "e2")])
    back_up(folder, out, NOON)
    restore(out, restored, clock, replace=False)
    later = open_restored()
    later.events.append([event("ann", "e3")])
    assert [stored.sequence for stored in later.events.events()] == [1, 2, 3]
    assert items_of(later, "ann") == ["item-1", "item-2", "item-3"]
