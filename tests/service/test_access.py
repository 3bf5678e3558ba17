from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import pytest

from recommender.service.access import Gate, bearer_token
from recommender.service.access_tokens import AccessTokens, parse_access_tokens
from recommender.service.counter_board import EventMarks, Words
from recommender.service.measures import PLACES, ROW_WORDS
from recommender.service.meter import Meter
from tests.rpc.conftest import refusal_of

LISTED, UNLISTED = "/recommender.api.v1.FeedService/GetFeed", "/recommender.api.v1.FeedService/NewMethod"
TOKENS = parse_access_tokens("frontend " + "f" * 32, "here")


@contextmanager
def gated(tokens: AccessTokens | None) -> Iterator[tuple[Words, grpc.Channel]]:
    """A server that answers a listed and an unlisted method behind a gate."""
    answer = grpc.unary_unary_rpc_method_handler(lambda data, _: data)
    counted = np.zeros(ROW_WORDS)
    gate = Gate(tokens, Meter(counted, EventMarks(np.zeros(1, np.int64))))
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[gate])
    handlers = {"GetFeed": answer, "NewMethod": answer}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("recommender.api.v1.FeedService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield counted, channel
    server.stop(None).wait()


@pytest.mark.parametrize("tokens", [None, TOKENS], ids=["open", "guarded"])
def test_a_method_that_no_table_lists_is_refused_to_everybody(tokens: AccessTokens | None) -> None:
    with gated(tokens) as (counted, channel):
        metadata = (("authorization", "Bearer " + "f" * 32),)
        assert channel.unary_unary(LISTED, None, None)(b"1", timeout=30, metadata=metadata) == b"1"
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(UNLISTED, None, None)(b"1", timeout=30, metadata=metadata)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    assert counted[PLACES["requests", "other", "PERMISSION_DENIED"]] == counted.sum() == 1


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([], None),
        ([("authorization", "Bearer abc")], "abc"),
        ([("authorization", "bearer  abc ")], "abc"),
        ([("authorization", "Bearer ")], None),
        ([("authorization", "Bearer")], None),
        ([("authorization", "Basic abc")], None),
        ([("authorization", "abc")], None),
        ([("authorization-bin", b"Bearer abc")], None),
        ([("authorization", "Bearer abc"), ("authorization", "Bearer abc")], None),
        ([("other", "Bearer abc"), ("authorization", "Bearer abc")], "abc"),
    ],
)
def test_a_token_comes_as_the_one_bearer_of_a_call(headers: list[tuple[str, str | bytes]], token: str | None) -> None:
    assert bearer_token(headers) == token
