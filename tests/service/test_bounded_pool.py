from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from recommender.service.bounded_pool import BoundedPool, OnTheSpot


class HandCounter:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Busy:
    """A pool whose only thread is held until it is let go."""

    def __init__(self, most: int, deadline: float = float("inf")) -> None:
        self.counter = HandCounter()
        self.pool = BoundedPool(1, "busy", most, deadline, self.counter)
        self._go = threading.Event()

    def hold(self) -> None:
        """Take the thread."""
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            self._go.wait(60)

        self.pool.submit(wait)
        begun.wait(60)

    def let_go(self) -> None:
        """Let everything run, and wait for it."""
        self._go.set()
        self.pool.shutdown(wait=True)


@pytest.fixture
def busy() -> Iterator[Busy]:
    made = Busy(most=4)
    yield made
    made.let_go()


def test_a_pool_is_full_with_as_many_as_it_may_hold(busy: Busy) -> None:
    assert not busy.pool.full
    busy.hold()
    for _ in range(3):
        assert not busy.pool.full
        busy.pool.submit(int)
    assert busy.pool.full


def test_a_request_knows_how_long_it_waited(busy: Busy) -> None:
    busy.hold()
    waited = busy.pool.submit(busy.pool.waited)
    busy.counter.now += 3.0
    busy.let_go()
    assert waited.result() == 3.0
    assert busy.pool.waited() == 0.0


def slow_pool(seconds: float, deadline: float) -> Busy:
    """A pool that has learnt how long its requests take."""
    busy = Busy(1_000, deadline)

    def work() -> None:
        busy.counter.now += seconds

    for _ in range(400):
        busy.pool.submit(work).result()
    return busy


def places(busy: Busy) -> int:
    """How many may wait behind the one that is held."""
    busy.hold()
    count = 0
    while not busy.pool.full:
        busy.pool.submit(int)
        count += 1
    busy.let_go()
    return count


def test_the_queue_ends_where_waiting_would_take_three_tenths_of_the_deadline() -> None:
    assert places(slow_pool(0.01, deadline=0.5)) == pytest.approx(15, abs=1)
    assert places(slow_pool(0.01, deadline=0.1)) == pytest.approx(3, abs=1)


def test_one_may_wait_for_each_thread_however_slow_it_is() -> None:
    assert places(slow_pool(9.0, deadline=0.1)) == 1


def test_a_pool_learns_what_deadline_its_clients_give() -> None:
    busy = slow_pool(0.01, deadline=0.5)
    for _ in range(400):
        busy.pool.expect(0.1)
    assert places(busy) == pytest.approx(3, abs=1)


def test_a_failure_frees_its_place_and_reaches_who_asked(busy: Busy) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        busy.pool.submit(int, "x").result(60)
    for _ in range(9):
        busy.pool.submit(int).result(60)
    assert not busy.pool.full


def test_what_is_done_on_the_spot_is_done_by_who_asks() -> None:
    assert OnTheSpot(1).submit(threading.get_ident).result(0) == threading.get_ident()
