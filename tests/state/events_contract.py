"""What every event log must do: append, histories, reading it all; ties are a class of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.state.protocols import LoggedEvent, Outcome, State
from recommender.types import DAY_MS, EVENT_TYPE_CODE, EVENT_TYPES, NO_TIME, UNKNOWN_EVENT_TYPE
from tests.state.contract import ACCEPTED, DUPLICATE, NOON, REUSED, ManualClock, OpenState, items_of, logged
from tests.state.log_model import CALLS, LogModel

OpenFresh = Callable[[], AbstractContextManager[State]]


class EventLogContract:
    """Append, histories, ties, reading it all."""

    def test_an_event_is_accepted_once_and_is_a_duplicate_afterwards(self, state: State) -> None:
        event = logged(user="ann")
        assert state.events.append([event]) == [ACCEPTED]
        assert state.events.append([event]) == [DUPLICATE]
        assert items_of(state, "ann") == ["apple"]

    def test_an_event_id_is_remembered_for_thirty_days(
        self, state: State, clock: ManualClock, open_another: OpenState
    ) -> None:
        first = logged(user="ann", event_id="e", at=None, arrival=NOON)
        state.events.append([first])
        state.close()
        clock.now_ms = NOON + 30 * DAY_MS
        later = open_another()
        again = replace(first, arrival_ms=clock.now_ms)
        assert later.events.append([again, logged(user="ann", event_id="e", at=NOON - 1)]) == [DUPLICATE, REUSED]

    def test_within_one_call_the_first_event_with_an_id_wins(self, state: State) -> None:
        first = logged("apple", "ann", event_id="e")
        other = logged("pear", "ann", event_id="e")
        assert state.events.append([first, first, other]) == [ACCEPTED, DUPLICATE, REUSED]
        assert items_of(state, "ann") == ["apple"]

    @pytest.mark.parametrize(
        "change",
        [
            {"item_id": "pear"},
            {"event_type": "click"},
            {"session_id": "s2"},
            {"time_ms": NOON - 1},
            {"receipt": "r2"},
            {"value": 2.0},
            {"price": 2.0},
            {"price": None},
            {"currency": "EUR"},
            {"quantity": 2.0},
            {"attributes": {"size": "L"}},
        ],
        ids="-".join,
    )
    def test_the_same_id_with_other_content_is_refused_and_not_stored(
        self, state: State, change: dict[str, Any]
    ) -> None:
        first = logged(
            user="ann", session="s", at=NOON - 5, event_id="e", receipt="r", value=1.0, price=1.0, currency="USD",
            quantity=1.0, attributes={"size": "M"},
        )  # fmt: skip
        other = replace(first, event=replace(first.event, **change))
        assert state.events.append([first, other, first]) == [ACCEPTED, REUSED, DUPLICATE]
        assert [event.event for event in state.events.events()] == [replace(first.event, receipt="")]

    @pytest.mark.parametrize("unset", [None, NOON], ids=["none", "arrival"])
    def test_an_event_without_time_that_is_sent_again_later_is_a_duplicate(
        self, state: State, unset: int | None
    ) -> None:
        first = logged(user="ann", event_id="e", at=unset, arrival=NOON)
        again = logged(user="ann", event_id="e", at=None if unset is None else NOON + 60_000, arrival=NOON + 60_000)
        timed = logged(user="ann", event_id="e", at=NOON - 1, arrival=NOON + 60_000)
        assert state.events.append([first, again, timed]) == [ACCEPTED, DUPLICATE, REUSED]
        assert state.events.history("ann", "", 10).times_ms.tolist() == [NOON]

    def test_the_attribution_is_not_content(self, state: State) -> None:
        first = logged(user="ann", event_id="e", attribution='{"position":3}')
        assert state.events.append([first, replace(first, attribution="")]) == [ACCEPTED, DUPLICATE]
        assert next(state.events.events()).attribution == '{"position":3}'

    def test_the_order_of_attributes_is_not_content(self, state: State) -> None:
        first, again = (
            logged(user="ann", event_id="e", attributes=dict(pairs))
            for pairs in ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")])
        )
        assert state.events.append([first, again]) == [ACCEPTED, DUPLICATE]

    def test_ids_are_apart_for_each_user_and_each_session(self, state: State) -> None:
        same = [logged(user="ann", event_id="e"), logged(user="bob", event_id="e")]
        same += [logged(session="ann", event_id="e"), logged(session="s", event_id="e")]
        assert state.events.append(same) == [ACCEPTED] * 4
        assert items_of(state, session="ann") == ["apple"]

    def test_a_call_without_events_changes_nothing(self, state: State) -> None:
        assert state.events.append([]) == []
        assert list(state.events.events()) == []

    def test_late_events_are_ordered_by_their_time(self, state: State) -> None:
        state.events.append([logged("third", "ann", at=NOON), logged("first", "ann", at=NOON - 9)])
        state.events.append([logged("second", "ann", at=NOON - 5), logged("fourth", "ann", at=NOON)])
        history = state.events.history("ann", "", 10)
        assert state.numbers.item_ids(history.item_numbers) == ["first", "second", "third", "fourth"]
        assert history.times_ms.tolist() == [NOON - 9, NOON - 5, NOON, NOON]

    def test_a_limit_keeps_the_newest(self, state: State) -> None:
        state.events.append([logged(f"item-{n}", "ann", at=NOON + n) for n in (3, 0, 2, 1)])
        assert items_of(state, "ann", limit=2) == ["item-2", "item-3"]
        assert items_of(state, "ann", limit=0) == []

    def test_a_hidden_item_stays_hidden_however_much_happens_after(self, state: State) -> None:
        state.events.append([logged("apple", "ann", event_type="hide", at=NOON - 9), logged("fig", "bob")])
        state.events.append([logged("pear", "ann", event_type="hide", at=NOON - 8) for _ in range(2)])
        state.events.append([logged("apple", "ann", event_type=kind) for kind in ("view", "purchase", "favorite")])
        assert items_of(state, "ann", limit=2) == ["apple", "apple"]
        hidden = state.events.hidden("ann", "")
        assert hidden.dtype == np.int64
        assert hidden.tolist() == sorted(state.numbers.numbers(["apple", "pear"]).tolist())
        assert [state.events.hidden(*ids).tolist() for ids in (("bob", ""), ("cat", ""), ("", "ann"), ("", ""))] == [
            []
        ] * 4

    def test_what_a_session_hid_follows_it_to_its_user(self, state: State) -> None:
        state.events.append([logged("apple", session="s", event_type="hide")])
        assert state.numbers.item_ids(state.events.hidden("", "s")) == ["apple"]
        state.events.append([logged("pear", "ann", "s")])
        assert state.numbers.item_ids(state.events.hidden("ann", "s")) == ["apple"]
        assert state.events.hidden("", "s").tolist() == []

    def test_a_history_has_the_types_that_its_columns_promise(self, state: State) -> None:
        kinds = [*EVENT_TYPES, "wave", "nod"]
        state.events.append([logged(user="ann", at=NOON + n, event_type=kind) for n, kind in enumerate(kinds)])
        for history in (state.events.history("ann", "", 99), state.events.history("nobody", "", 99)):
            columns = (history.item_numbers, history.event_types, history.times_ms)
            assert [column.dtype.name for column in columns] == ["int64", "uint8", "int64"]
        codes = [EVENT_TYPE_CODE.get(kind, UNKNOWN_EVENT_TYPE) for kind in kinds]
        assert state.events.history("ann", "", 99).event_types.tolist() == codes
        assert [event.event.event_type for event in state.events.events()] == kinds

    def test_an_event_without_user_and_session_is_kept_and_is_in_nobodys_history(self, state: State) -> None:
        assert state.events.append([logged(event_id="e"), logged(event_id="e")]) == [ACCEPTED, DUPLICATE]
        assert items_of(state) == []
        assert [event.event.item_id for event in state.events.events()] == ["apple"]

    def test_a_missing_time_of_an_imported_log_survives(self, state: State) -> None:
        state.events.append([logged(user="ann", at=NO_TIME)])
        assert state.events.history("ann", "", 9).times_ms.tolist() == [NO_TIME]

    def test_times_may_be_numbers_of_numpy(self, state: State) -> None:
        state.events.append([logged("apple", "ann", at=np.int64(NOON - 1), arrival=np.int64(NOON))])  # type: ignore[arg-type]
        assert state.events.history("ann", "", np.int64(9)).times_ms.tolist() == [NOON - 1]  # type: ignore[arg-type]
        assert [event.arrival_ms for event in state.events.events(NOON)] == [NOON]

    def test_all_that_a_client_sent_is_read_back(self, state: State) -> None:
        full = logged(
            "apple", "ann", "s", at=NOON - 1, arrival=NOON + 1, event_type="purchase", value=0.1, price=1e-9,
            currency="EUR", quantity=3.0, attributes={"größe": "L\u2028", "": ""}, attribution='{"position":0}',
        )  # fmt: skip
        bare = logged("pear", session="s2", at=None, arrival=NOON + 2)
        state.events.append([full, bare])
        first, second = state.events.events()
        assert first == replace(full, sequence=first.sequence)
        assert second == replace(bare, event=replace(bare.event, time_ms=NOON + 2), sequence=second.sequence)
        assert second.sequence > first.sequence

    def test_events_since_are_those_that_arrived_since(self, state: State) -> None:
        arrivals = [NOON, NOON + 5, NOON + 3, NOON + 4]
        state.events.append([logged(f"item-{at - NOON}", "ann", arrival=at) for at in arrivals])
        since = [event.event.item_id for event in state.events.events(NOON + 4)]
        assert since == ["item-5", "item-4"]
        assert list(state.events.events(NOON + 6)) == []

    def test_a_log_longer_than_any_page_is_read_whole_and_in_order(self, state: State) -> None:
        for start in range(0, 2_500, 500):
            state.events.append([logged(f"item-{n}", "ann", at=NOON + n) for n in range(start, start + 500)])
        assert [event.event.item_id for event in state.events.events()] == [f"item-{n}" for n in range(2_500)]

    def test_another_process_sees_an_append_that_returned(self, state: State, open_another: OpenState) -> None:
        other = open_another()
        for n in range(20):
            state.events.append([logged(f"item-{n}", "ann", at=NOON + n)])
            assert items_of(other, "ann", limit=1) == [f"item-{n}"]

    def test_the_data_version_moves_with_every_commit_of_anyone_and_only_then(
        self, state: State, open_another: OpenState
    ) -> None:
        other = open_another()
        versions = [state.data_version(), state.data_version()]
        state.events.append([logged(user="ann")])
        versions.append(state.data_version())
        other.events.append([logged(user="ann")])
        versions += [state.data_version(), state.data_version()]
        assert versions[0] == versions[1]
        assert versions[3] == versions[4]
        assert len({versions[0], versions[2], versions[3]}) == 3

    def test_of_many_callers_with_one_event_exactly_one_is_accepted(self, state: State) -> None:
        events = [logged(user="ann", event_id=f"e{n}") for n in range(10)]
        outcomes: list[list[Outcome]] = []
        callers = [
            threading.Thread(target=lambda: outcomes.append([state.events.append([event])[0] for event in events]))
            for _ in range(8)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert [sorted(each) for each in zip(*outcomes, strict=True)] == [[ACCEPTED] + [DUPLICATE] * 7] * 10

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(calls=CALLS, limit=st.integers(0, 5))
    def test_it_does_what_a_plain_list_does(
        self, open_fresh: OpenFresh, calls: list[list[LoggedEvent]], limit: int
    ) -> None:
        model = LogModel()
        with open_fresh() as state:
            for n, call in enumerate(calls):
                events = [replace(event, arrival_ms=NOON + n) for event in call]
                assert state.events.append(events) == model.append(events)
            for user, session in (("ann", ""), ("bob", "s2"), ("", "ann"), ("", "s2"), ("", "")):
                wanted = model.history(user, session, limit)
                history = state.events.history(user, session, limit)
                assert history.times_ms.tolist() == [event.event.time_ms for event in wanted]
                assert state.numbers.item_ids(history.item_numbers) == [event.event.item_id for event in wanted]
                codes = [EVENT_TYPE_CODE.get(event.event.event_type, UNKNOWN_EVENT_TYPE) for event in wanted]
                assert history.event_types.tolist() == codes
            users = [owner.removeprefix("user ") if owner.startswith("user ") else "" for _, owner in model.stored]
            assert [event.event.user_id for event in state.events.events()] == users


class TieContract:
    """A session's anonymous events, and whose they become."""

    def test_an_event_with_both_ids_gives_the_sessions_earlier_events_to_the_user(self, state: State) -> None:
        state.events.append([logged("pear", session="s", at=NOON - 2), logged("fig", session="other", at=NOON - 2)])
        assert items_of(state, session="s") == ["pear"]
        state.events.append([logged("apple", "ann", "s")])
        assert items_of(state, "ann") == ["pear", "apple"]
        assert items_of(state, session="s") == []
        assert items_of(state, session="other") == ["fig"]
        told = [(event.event.item_id, event.event.user_id, event.event.session_id) for event in state.events.events()]
        assert told == [("pear", "ann", "s"), ("fig", "", "other"), ("apple", "ann", "s")]

    def test_what_a_session_does_after_a_tie_stays_its_own_until_the_next(self, state: State) -> None:
        state.events.append([logged("a", "ann", "s", at=NOON), logged("b", session="s", at=NOON + 1)])
        assert (items_of(state, "ann"), items_of(state, session="s")) == (["a"], ["b"])
        state.events.append([logged("c", "bob", "s", at=NOON + 2)])
        assert (items_of(state, "ann"), items_of(state, "bob"), items_of(state, session="s")) == (["a"], ["b", "c"], [])

    def test_a_tied_event_never_changes_hands(self, state: State) -> None:
        state.events.append([logged("pear", session="s"), logged("a", "ann", "s"), logged("b", "bob", "s")])
        assert (items_of(state, "ann"), items_of(state, "bob")) == (["pear", "a"], ["b"])

    def test_a_late_anonymous_event_goes_to_the_user_whose_tie_follows_it_in_time(self, state: State) -> None:
        state.events.append([logged("c", "bob", "s", at=NOON + 9), logged("b", "ann", "s", at=NOON + 4)])
        state.events.append([logged("a", session="s", at=NOON + 4), logged("d", session="s", at=NOON + 10)])
        assert (items_of(state, "ann"), items_of(state, "bob")) == (["b", "a"], ["c"])
        assert items_of(state, session="s") == ["d"]

    def test_a_repeated_event_ties_nothing_anew(self, state: State) -> None:
        tie = logged("a", "ann", "s")
        state.events.append([tie, logged("b", session="s", at=NOON + 1), tie])
        assert (items_of(state, "ann"), items_of(state, session="s")) == (["a"], ["b"])

    def test_a_tied_event_sent_again_is_still_a_duplicate(self, state: State) -> None:
        anonymous = logged("pear", session="s")
        assert state.events.append([anonymous, logged("a", "ann", "s"), anonymous]) == [ACCEPTED, ACCEPTED, DUPLICATE]
