"""Strangers at random: mutated requests of every method and mutated bytes at the port, while an honest client goes on.

    python -m tests.benchmarks.fuzz_strangers [--seconds 45] [--seed N] [--workers 2]

Fails on INTERNAL or UNKNOWN, on an error in the log, on a worker that died, and on an honest client that waits for more
than its deadline. What was sent follows from the seed; how it interleaves does not.
"""

from __future__ import annotations

import argparse
import itertools
import random
import secrets
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from recommender.api.v1 import events_pb2, events_pb2_grpc, feed_pb2, feed_pb2_grpc
from recommender.service.channels import open_channel
from tests.servers import RunningServer, running_server
from tests.service.test_roles import services
from tests.worlds import write_tiny_models

TOKEN: Final = "0123456789abcdef" * 2
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
WORDS: Final = ("", "ada", "item-spade", "view", "\x00", "ü" * 100, "x" * 257, "Kitchen > Pans", "x" * 70_000)
NUMBERS: Final = (0, 1, -1, 20, 101, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
FLOATS: Final = (0.0, 1.5, -1.0, float("nan"), float("inf"), 1e308)
HONEST_SECONDS: Final = 5.0
FAILURES: Final = frozenset({"INTERNAL", "UNKNOWN"})


class Tally:
    """What came of it: counts by kind and code, and the failures."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def count(self, kind: str, code: str) -> None:
        with self._lock:
            self.counts[kind, code] += 1

    def fail(self, said: str) -> None:
        with self._lock:
            self.failures.append(said)


class Requests:
    """Requests that could be meant, then spoilt."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        #: Page tokens and receipts that the server gave.
        self.given: list[str] = []

    def bytes_of(self, method: MethodDescriptor) -> bytes:
        message = GetMessageClass(method.input_type)()
        self._fill(message, 0)
        data = message.SerializeToString()
        return data if self._chance.random() < 0.5 else mutated(self._chance, data)

    def _fill(self, message: Message, depth: int) -> None:
        for field in message.DESCRIPTOR.fields:
            if self._chance.random() < 0.4 or depth > 3:
                continue
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                getattr(message, field.name)[self._chance.choice(WORDS)] = self._chance.choice(WORDS)
            elif field.is_repeated:
                self._repeat(getattr(message, field.name), field, depth)
            elif field.message_type is not None:
                self._fill(getattr(message, field.name), depth + 1)
            else:
                setattr(message, field.name, self._value(field))

    def _repeat(self, values: Any, field: Any, depth: int) -> None:
        for _ in range(self._chance.choice((1, 2, 3, 40))):
            if field.message_type is not None:
                self._fill(values.add(), depth + 1)
            else:
                values.append(self._value(field))

    def _value(self, field: Any) -> Any:
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                text = self._chance.choice((*WORDS, *self.given[-5:]))
                return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return self._chance.choice(FLOATS)
            case FieldDescriptor.CPPTYPE_BOOL:
                return self._chance.random() < 0.5
            case FieldDescriptor.CPPTYPE_ENUM:
                return self._chance.choice((0, 1, 2, 999))
            case FieldDescriptor.CPPTYPE_INT64:
                return self._chance.choice(NUMBERS)
            case FieldDescriptor.CPPTYPE_INT32:
                return self._chance.choice([number for number in NUMBERS if abs(number) <= 2**31 and number < 2**31])
        return abs(self._chance.choice(NUMBERS)) % 2**31


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The bytes with some of them changed, dropped, doubled or added."""
    spoilt = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(spoilt) + 1)
        match chance.randrange(5):
            case 0 if spoilt:
                spoilt[at % len(spoilt)] = chance.randrange(256)
            case 1:
                del spoilt[at : at + chance.randrange(1, 9)]
            case 2:
                spoilt[at:at] = spoilt[at : at + chance.randrange(1, 64)]
            case 3:
                spoilt[at:at] = chance.randbytes(chance.randrange(1, 32))
            case _:
                del spoilt[at:]
    return bytes(spoilt)


def fuzz_methods(server: RunningServer, seed: int, name: str, stop: threading.Event, tally: Tally) -> None:
    """Call methods with spoilt requests, now and then without a token, without a request, or going away."""
    chance = random.Random(f"{seed}-{name}")
    requests = Requests(chance)
    methods = [method for service in services() for method in service.methods]
    with open_channel(server.address, "", None) as channel:
        while not stop.is_set():
            method = chance.choice(methods)
            token = chance.choice((TOKEN, TOKEN, TOKEN, TOKEN[::-1], None))
            metadata = () if token is None else (("authorization", f"Bearer {token}"),)
            count = chance.choice((1, 1, 1, 1, 0, 2, 5)) if method.client_streaming else chance.choice((1,) * 19 + (0,))
            messages = iter([requests.bytes_of(method) for _ in range(count)])
            path = f"/{method.containing_service.full_name}/{method.name}"
            begin = channel.stream_stream(path, None, None)
            call: Any = begin(messages, timeout=chance.choice((0.05, 2.0, 5.0)), metadata=metadata)
            try:
                for reply in itertools.islice(call, 1 if method.name == "Watch" else 10):
                    _remember(requests, method, reply)
                call.cancel()
                code = "OK"
            except grpc.RpcError as error:
                code = error.code().name
                if code in FAILURES:
                    tally.fail(f"{path} answered {code}: {error.details()}")
            tally.count(method.name, code)


def _remember(requests: Requests, method: MethodDescriptor, reply: bytes) -> None:
    if method.name == "GetFeed":
        page = feed_pb2.GetFeedResponse.FromString(reply)
        requests.given += [page.next_page_token, *(card.receipt for card in page.cards[:2])]


def fuzz_bytes(server: RunningServer, seed: int, stop: threading.Event, tally: Tally) -> None:
    """Send bytes to the port: random ones, and those of a real client, spoilt."""
    chance = random.Random(f"{seed}-bytes")
    real = recorded_call()
    host, _, port = server.address.rpartition(":")
    held: list[socket.socket] = []
    while not stop.is_set():
        kind = chance.choice(("random", "preface", "frames", "real"))
        data = {
            "random": lambda: chance.randbytes(chance.randrange(1, 5_000)),
            "preface": lambda: PREFACE + chance.randbytes(chance.randrange(1, 5_000)),
            "frames": lambda: PREFACE + SETTINGS + b"".join(frame(chance) for _ in range(chance.randrange(1, 40))),
            "real": lambda: real if chance.random() < 0.1 else real[:33] + mutated(chance, real[33:]),
        }[kind]()
        try:
            connection = socket.create_connection((host, int(port)), timeout=HONEST_SECONDS)
        except OSError as error:
            tally.fail(f"no connection to the port: {error}")
            return
        held.append(connection)
        tally.count(f"bytes, {kind}", _talk(connection, data, chance))
        if len(held) > 50:  # some stay half open for a while
            held.pop(chance.randrange(len(held))).close()
    for connection in held:
        connection.close()


def _talk(connection: socket.socket, data: bytes, chance: random.Random) -> str:
    try:
        connection.sendall(data)
        if chance.random() < 0.3:
            return "left open"
        connection.settimeout(0.05)
        while connection.recv(65_536):
            pass
        return "hung up"
    except TimeoutError:
        return "waiting"
    except OSError:
        return "reset"


def frame(chance: random.Random) -> bytes:
    """A frame of HTTP/2 with a head that may be right."""
    payload = chance.randbytes(chance.choice((0, 4, 8, 16, 200)))
    length = len(payload) if chance.random() < 0.8 else chance.randrange(2**24)
    head = struct.pack(">I", length)[1:] + bytes([chance.randrange(11), chance.randrange(256)])
    return head + struct.pack(">I", chance.choice((0, 1, 2, 3, 2**31 - 1))) + payload


def recorded_call() -> bytes:
    """What a client sends for one GetFeed, up to its message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with open_channel(address, TOKEN, None) as channel:
            call = feed_pb2_grpc.FeedServiceStub(channel).GetFeed.future(feed_pb2.GetFeedRequest(user_id="ada"))
            connection, _ = listener.accept()
            with connection:
                connection.sendall(SETTINGS)
                data = b""
                while b"ada" not in data:
                    data += connection.recv(65_536)
                call.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it out
    return data


def go_on(server: RunningServer, stop: threading.Event, tally: Tally) -> None:
    """An honest client: a feed and an event, again and again, each within its deadline."""
    numbers = itertools.count()
    while not stop.is_set():
        with open_channel(server.address, TOKEN, None) as channel:
            feed, events = feed_pb2_grpc.FeedServiceStub(channel), events_pb2_grpc.EventServiceStub(channel)
            event = events_pb2.Event(
                event_id=f"honest-{next(numbers)}", user_id="honest", item_id="item-spade", event_type="view"
            )
            request = events_pb2.RecordEventsRequest(events=[event])
            wanted = feed_pb2.GetFeedRequest(user_id="ada", page_size=5)
            for name, call in {
                "feed": lambda feed=feed, wanted=wanted: len(feed.GetFeed(wanted, timeout=HONEST_SECONDS).cards) == 5,
                "event": lambda events=events, request=request: (
                    events.RecordEvents(request, timeout=HONEST_SECONDS).accepted_count == 1
                ),
            }.items():
                _honestly(name, call, tally)
        time.sleep(0.02)


def _honestly(name: str, call: Callable[[], bool], tally: Tally) -> None:
    try:
        good, code = call(), "OK"
    except grpc.RpcError as error:
        good, code = False, error.code().name
    tally.count(f"honest {name}", code)
    # Told to come again later is told: the strangers are many.
    if not good and code != "RESOURCE_EXHAUSTED":
        tally.fail(f"an honest {name} came to {code}")


def fuzz(server: RunningServer, seed: int, seconds: float) -> Tally:
    """Let strangers and an honest client at a server."""
    stop, tally = threading.Event(), Tally()
    workers = set(server.workers())
    jobs: Iterator[tuple[Callable[..., None], tuple[Any, ...]]] = iter(
        (
            (fuzz_methods, (server, seed, "one", stop, tally)),
            (fuzz_methods, (server, seed, "two", stop, tally)),
            (fuzz_bytes, (server, seed, stop, tally)),
            (go_on, (server, stop, tally)),
        )
    )
    threads = [threading.Thread(target=target, args=arguments) for target, arguments in jobs]
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            tally.fail(f"{thread.name} hangs")
    if set(server.workers()) != workers:
        tally.fail(f"workers were {workers}, are {set(server.workers())}")
    for line in server.lines():
        if line["level"] == "error":
            tally.fail(f"log: {line['message']}: {line.get('traceback', '')[-600:]}")
    return tally


def main() -> None:
    """Fuzz a server of a tiny world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds:g} s, {options.workers} workers", flush=True)
    with tempfile.TemporaryDirectory(prefix="windowshop-fuzz-") as name:
        folder = Path(name)
        write_tiny_models(folder / "models")
        settings = {"WINDOWSHOP_SERVER__TOKENS": f"admin {TOKEN}", "WINDOWSHOP_SERVER__REQUEST_TIMEOUT": "2s"}
        flags = ("--workers", str(options.workers))
        with running_server(folder / "models", folder / "state", *flags, **settings) as server:
            tally = fuzz(server, seed, options.seconds)
    codes: Counter[str] = Counter()
    for (kind, code), count in sorted(tally.counts.items()):
        print(f"{kind:24} {code:20} {count:8,}")
        codes[code] += count
    print("all: " + ", ".join(f"{code} {count:,}" for code, count in codes.most_common()))
    for said, count in Counter(tally.failures).most_common(20):
        print(f"FAILED {count} times: {said}")
    sys.exit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
