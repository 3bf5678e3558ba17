"""What every state must do with a person's records: find all, remove all, remember that it did.

An implementation gives the fixture `stored_bytes` beside those of `contract.py`: every byte that the storage holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from recommender.logs import erased_hash
from recommender.state.protocols import Outcome, State, UserRecords
from tests.state.contract import ACCEPTED, NOON, OpenState, items_of, logged

NOBODY = UserRecords((), (), (), (), erased=False)
StoredBytes = Callable[[], bytes]


def live(state: State, other: State) -> None:
    """Records of ann, under her id and her session's, and of bob, in every store and by two processes."""
    attributes = {"note": "ann-note " * 2_000}  # longer than a page
    state.events.append([logged("pear", session="ann-session", event_id="ann-0", attributes=attributes)])
    state.events.append([logged("apple", "ann-user", "ann-session", event_id="ann-1", event_type="hide")])
    other.events.append([logged("fig", "bob", "bob-session"), logged("fig", "ann-user", attributes=attributes)])
    for one in (state, other):
        for owner in ("ann-user", "ann-session", "bob"):
            one.snapshots.put(f"{owner}'s list".encode(), NOON + 9, owner)
            one.served.write(f"{owner}'s page".encode(), owner)
    state.events.append([logged(f"item-{n}", "bob", attributes={"note": "bob's"}) for n in range(300)])


class PeopleContract:
    """Finding and removing a user."""

    def test_all_that_is_held_of_a_user_is_found(self, state: State, open_another: OpenState) -> None:
        other = open_another()
        live(state, other)
        other.close()
        found = state.find_user("ann-user")
        assert [(one.event.item_id, one.event.session_id) for one in found.events] == [
            ("pear", "ann-session"),
            ("apple", "ann-session"),
            ("fig", ""),
        ]
        assert found.sessions == ("ann-session",)
        assert sorted(found.snapshots) == [b"ann-session's list"] * 2 + [b"ann-user's list"] * 2
        assert sorted(found.served) == [b"ann-session's page"] * 2 + [b"ann-user's page"] * 2
        assert not found.erased
        assert state.find_user("nobody") == NOBODY
        assert len(state.find_user("bob").events) == 301

    def test_a_removed_user_leaves_no_byte_behind_and_nobody_else_loses_any(
        self, state: State, open_another: OpenState, stored_bytes: StoredBytes
    ) -> None:
        other = open_another()
        live(state, other)
        bob = state.find_user("bob")
        assert b"ann-" in stored_bytes()
        removed = state.remove_user("ann-user")
        assert (removed.events, removed.sessions, removed.snapshots, removed.served) == (3, 1, 4, 4)
        assert removed.overwritten
        assert b"ann-" not in stored_bytes()
        found = other.find_user("ann-user")
        assert found == UserRecords((), (), (), (), erased=True)
        assert state.find_user("bob").events == bob.events
        assert sorted(state.find_user("bob").served) == [b"bob's page"] * 2
        other.served.write(b"bob's next page", "bob")
        other.snapshots.put(b"bob's next list", NOON + 9, "bob")
        assert other.find_user("bob").served[-1] == b"bob's next page"
        assert items_of(other, "bob", limit=1) == ["item-299"]

    def test_a_user_whose_log_fills_many_pages_is_removed_whole(self, state: State) -> None:
        for start in range(0, 4_500, 900):
            state.events.append([logged("apple", "ann", at=NOON + start + n) for n in range(900)])
        assert len(state.find_user("ann").events) == 4_500
        assert state.remove_user("ann").events == 4_500
        assert list(state.events.events()) == []

    def test_a_removed_user_is_known_by_the_hash_that_erased_files_have(self, state: State) -> None:
        assert state.erased().hashes == ()
        salt = state.erased().salt
        for user in ("ann", "bob", "ann"):  # who left nothing is remembered too: files of before may name them
            state.remove_user(user)
        erased = state.erased()
        assert erased.salt == salt
        wanted = sorted(hashlib.blake2b(user, digest_size=16, key=salt).digest() for user in (b"ann", b"bob"))
        assert list(erased.hashes) == wanted
        assert erased_hash("ann", salt) in [each.hex() for each in erased.hashes]
        assert [state.events.is_erased(user) for user in ("ann", "bob", "cat", "")] == [True, True, False, False]

    def test_events_of_a_removed_user_are_refused_and_tie_nothing(self, state: State, open_another: OpenState) -> None:
        other = open_another()
        event = logged("apple", "ann", "s", event_id="e")
        state.events.append([event])
        state.remove_user("ann")
        other.events.append([logged("pear", session="s")])
        again = [event, logged("fig", "ann"), logged("fig", "bob"), logged("fig", session="ann")]
        assert other.events.append(again) == [Outcome.ERASED, Outcome.ERASED, ACCEPTED, ACCEPTED]
        assert (items_of(state, "ann"), items_of(state, session="s")) == ([], ["pear"])
        assert state.find_user("ann").events == ()

    def test_removing_again_removes_what_came_since_and_finds_nothing_twice(self, state: State) -> None:
        state.events.append([logged("apple", "ann")])
        state.remove_user("ann")
        state.snapshots.put(b"list", NOON + 9, "ann")
        state.served.write(b"page", "ann")
        counts = [
            (removed.events, removed.snapshots, removed.served) for removed in map(state.remove_user, ["ann"] * 2)
        ]
        assert counts == [(0, 1, 1), (0, 0, 0)]
