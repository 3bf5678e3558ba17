"""A client's channel, with its token on every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from recommender.service.tls import ClientTls


def open_channel(target: str, token: str, tls: ClientTls | None) -> grpc.Channel:
    """A channel.

    Args:
        target: `host:port`.
        token: Shown with every call; empty for none.
        tls: What is trusted and shown; None for plain text.
    """
    if tls is None:
        channel = grpc.insecure_channel(target)
    else:
        key, certificate = (tls.pair.key, tls.pair.certificate) if tls.pair else (None, None)
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(tls.authorities, key, certificate))
    return grpc.intercept_channel(channel, _Bearer(token)) if token else channel


# gRPC's own call credentials refuse to travel on loopback without TLS.
class _Bearer(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in its stubs alone
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
):
    """Adds the metadata `authorization: Bearer TOKEN`."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """A call with one request."""
        return continuation(self._with_token(client_call_details), request)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """A call with a stream of requests."""
        return continuation(self._with_token(client_call_details), request_iterator)

    def _with_token(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), self._header])
