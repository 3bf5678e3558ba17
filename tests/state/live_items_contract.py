"""What every implementation of `LiveItems` must do."""

from __future__ import annotations

import threading
from dataclasses import replace

from recommender.state.live_items import Change, LiveItem, Ruling, Target
from recommender.state.protocols import State
from recommender.types import Item, Kind
from tests.state.contract import NOON, OpenState

FULL = Item(
    "tea ü",
    Kind.GROUP_DEAL,
    "Green tea",
    'A "fine" one\n😀',
    "Food > Tea",
    "Leaf",
    "seller-1",
    0.0,
    "EUR",
    "https://example.com/tea.jpg",
    NOON,
    NOON + 9,
    available=False,
    attributes={"weight": "100 g", "": ""},
)


def live(item_id: str, title: str = "", at: int = NOON) -> LiveItem:
    return LiveItem(Item(item_id, title=title), at)


def taken(name: str, target: Target = Target.ITEM, at: int = NOON) -> Ruling:
    return Ruling(target, name, True, at, f"because of {name}", "catalog")


def records(changes: list[Change]) -> list[LiveItem | Ruling]:
    return [change.record for change in changes]


class LiveItemsContract:
    """The last record of each item, the ruling that holds, and all that ever held."""

    def test_an_item_comes_back_as_it_was_sent(self, state: State, open_another: OpenState) -> None:
        state.live_items.upsert([LiveItem(FULL, NOON), live("bare")])
        for one in (state, open_another()):
            assert one.live_items.item(FULL.item_id) == LiveItem(FULL, NOON)
            assert one.live_items.item("bare") == live("bare")
            assert one.live_items.item("other") is None

    def test_the_last_record_of_an_item_is_the_one_that_is_kept(self, state: State) -> None:
        state.live_items.upsert([live("a", "first"), live("b"), live("a", "second")])
        state.live_items.upsert([live("a", "third", NOON - 5)])
        assert state.live_items.item("a") == live("a", "third", NOON - 5)
        assert records(list(state.live_items.changes())) == [live("b"), live("a", "third", NOON - 5)]

    def test_the_ruling_that_holds_is_the_last_and_none_is_forgotten(
        self, state: State, open_another: OpenState
    ) -> None:
        down, up = taken("a"), Ruling(Target.ITEM, "a", False, NOON + 1, "", "admin")
        state.live_items.rule([down, taken("a", Target.SELLER)])
        state.live_items.rule([up])
        later = open_another().live_items
        assert later.ruling(Target.ITEM, "a") == up
        assert later.ruling(Target.SELLER, "a") == taken("a", Target.SELLER)
        assert later.ruling(Target.SELLER, "b") is None
        assert list(later.rulings()) == [down, taken("a", Target.SELLER), up]

    def test_changes_are_what_came_after_a_sequence(self, state: State, open_another: OpenState) -> None:
        state.live_items.upsert([live("a"), live("b")])
        state.live_items.rule([taken("c")])
        all_of_it = list(state.live_items.changes())
        assert records(all_of_it) == [live("a"), live("b"), taken("c")]
        sequences = [change.sequence for change in all_of_it]
        assert sequences == sorted(set(sequences))
        open_another().live_items.upsert([live("a", "again")])
        (new,) = state.live_items.changes(sequences[-1])
        assert new.record == live("a", "again")
        assert new.sequence > sequences[-1]
        assert list(state.live_items.changes(new.sequence)) == []

    def test_the_version_changes_with_every_commit_of_any_process_and_with_nothing_else(
        self, state: State, open_another: OpenState
    ) -> None:
        other = open_another()
        seen = [state.live_items.version()]
        for writer in (other, state):
            writer.live_items.upsert([live("a")])
            seen.append(state.live_items.version())
        other.live_items.rule([taken("a")])
        seen.append(state.live_items.version())
        assert len(set(seen)) == len(seen)
        state.numbers.numbers(["apple"])
        state.live_items.upsert([])
        state.live_items.rule([])
        assert state.live_items.version() == seen[-1]

    def test_names_are_told_apart_whatever_they_hold(self, state: State) -> None:
        names = ["a", "A", "a ", "'; DROP TABLE records; --", "ü", "u\u0308", "%", "", "😀" * 60]
        state.live_items.upsert([live(name, name) for name in names])
        state.live_items.rule([taken(name, Target.SELLER) for name in names])
        assert [state.live_items.item(name) for name in names] == [live(name, name) for name in names]
        assert len(list(state.live_items.rulings())) == len(names)

    def test_callers_at_once_keep_all_that_they_sent(self, state: State, open_another: OpenState) -> None:
        states = [state, open_another(), state, open_another()]

        def call(number: int, one: State) -> None:
            for n in range(20):
                one.live_items.upsert([live(f"{number}-{n}")])
                one.live_items.rule([taken(f"{number}-{n}")])

        callers = [threading.Thread(target=call, args=each) for each in enumerate(states)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        kept = records(list(open_another().live_items.changes()))
        assert len([record for record in kept if isinstance(record, LiveItem)]) == 80
        assert len([record for record in kept if isinstance(record, Ruling)]) == 80

    def test_what_was_kept_outlives_its_process(self, state: State, open_another: OpenState) -> None:
        state.live_items.upsert([LiveItem(replace(FULL, price=None), NOON)])
        state.live_items.rule([taken("a")])
        state.close()
        later = open_another().live_items
        assert later.item(FULL.item_id) == LiveItem(replace(FULL, price=None), NOON)
        assert later.ruling(Target.ITEM, "a") == taken("a")
