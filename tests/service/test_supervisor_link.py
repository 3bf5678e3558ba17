from __future__ import annotations

import threading
from multiprocessing import Pipe
from pathlib import Path

import pytest

from recommender.errors import RequestError
from recommender.service.control import Activate, Ask, Reply, ServingStatus, Swap, TellStatus
from recommender.service.supervisor_link import SupervisorLink

STATUS = ServingStatus("v1", "", ())


def test_each_asker_gets_the_answer_to_its_own_question() -> None:
    ours, theirs = Pipe()
    never, told = Pipe()
    link = SupervisorLink(theirs)
    got: dict[str, object] = {}
    listening = threading.Thread(target=link.listen, args=(never, lambda _: None))
    listening.start()

    def ask(name: str) -> None:
        try:
            got[name] = link.ask(TellStatus() if name == "status" else Activate(name), 30)
        except RequestError as error:
            got[name] = error.reason

    askers = [threading.Thread(target=ask, args=(name,)) for name in ("status", "v2", "v3")]
    for each in askers:
        each.start()
    asked = [ours.recv() for _ in askers]
    assert all(isinstance(each, Ask) for each in asked)
    for each in reversed(asked):
        wish = each.wish
        refusal = RequestError("NOT_FOUND", f"NO_{getattr(wish, 'version', '')}", "")
        ours.send(Reply(each.number, STATUS if isinstance(wish, TellStatus) else refusal))
    for asker in askers:
        asker.join()
    assert got == {"status": STATUS, "v2": "NO_v2", "v3": "NO_v3"}
    told.send(None)
    listening.join()


def test_orders_are_passed_on_until_the_supervisor_is_gone() -> None:
    ours, theirs = Pipe()
    never, told = Pipe()
    orders: list[Path] = []
    ours.send(Swap(Path("a")))
    ours.send(Swap(Path("b")))
    ours.close()
    SupervisorLink(theirs).listen(never, orders.append)
    assert orders == [Path("a"), Path("b")]
    told.close()


def test_a_supervisor_that_does_not_answer_is_said() -> None:
    ours, theirs = Pipe()
    with pytest.raises(RequestError) as caught:
        SupervisorLink(theirs).ask(TellStatus(), 0.01)
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "SUPERVISOR_SILENT")
    ours.close()


def test_a_worker_that_ends_lets_nobody_wait() -> None:
    ours, theirs = Pipe()
    link, reasons = SupervisorLink(theirs), []

    def ask() -> None:
        with pytest.raises(RequestError) as caught:
            link.ask(TellStatus(), 60)
        reasons.append(caught.value.reason)

    waiting = threading.Thread(target=ask)
    waiting.start()
    assert ours.recv().wish == TellStatus()
    link.close()
    waiting.join()
    ask()  # and who asks later does not wait either
    assert reasons == ["WORKER_ENDING"] * 2
    ours.close()
