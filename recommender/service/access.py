"""The gate before every method: who calls, and whether their role may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import grpc

from recommender.errors import RequestError
from recommender.service.access_tokens import AccessTokens
from recommender.service.admission import refusing
from recommender.service.meter import Meter
from recommender.service.roles import OPEN, ROLES, Role

_SCHEME: Final = "bearer "
_Details = grpc.HandlerCallDetails
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Gate(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs alone
    """Lets calls through by the role of their token; on a thread that serves all calls, so it does nothing slow.

    Args:
        tokens: Of this server; None opens every role, as on loopback.
        meter: Counts what is refused.
    """

    def __init__(self, tokens: AccessTokens | None, meter: Meter) -> None:
        self._tokens = tokens
        self._meter = meter

    def intercept_service(
        self, continuation: Callable[[_Details], _Handler | None], handler_call_details: _Details
    ) -> _Handler | None:
        """The method's handler, or one that refuses; None for a method that there is not."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        refusal = self._refusal(handler_call_details)
        if refusal is None:
            return handler
        self._meter.refused(handler_call_details.method.rpartition("/")[2], refusal.code)
        return refusing(refusal)

    def caller(self, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """The role in which a call came that was let through; empty where every role is open."""
        token = bearer_token(metadata)
        role = None if self._tokens is None or token is None else self._tokens.role_of(token)
        return "" if role is None else role.value

    def _refusal(self, details: _Details) -> RequestError | None:
        method = details.method
        if method in OPEN:
            return None
        roles = ROLES.get(method)
        if roles is None:
            return RequestError("PERMISSION_DENIED", "ROLE_MISSING", "no role may call this method")
        if self._tokens is None:
            return None
        token = bearer_token(details.invocation_metadata)
        if token is None:
            said = "this method needs a token; send it in the metadata as authorization: Bearer TOKEN"
            return RequestError("UNAUTHENTICATED", "TOKEN_MISSING", said)
        role = self._tokens.role_of(token)
        if role is None:
            said = "the token is not one of this server's; ask its operator for another"
            return RequestError("UNAUTHENTICATED", "TOKEN_UNKNOWN", said)
        return None if role in roles else _wrong_role(role, roles)


def bearer_token(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The token that a call brings; None where it brings none, or several headers of which one could be meant."""
    values = [value for name, value in metadata if name == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str) or not values[0].lower().startswith(_SCHEME):
        return None
    return values[0][len(_SCHEME) :].strip() or None


def _wrong_role(role: Role, roles: frozenset[Role]) -> RequestError:
    wanted = " or ".join(each for each in Role if each in roles)
    said = f"a token of the role {role} may not call this method; use one of the role {wanted}"
    return RequestError("PERMISSION_DENIED", "ROLE_MISSING", said)
