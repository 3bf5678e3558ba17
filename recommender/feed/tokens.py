"""Page tokens: where in which list the next page begins, and for whom; opaque and authenticated."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final

from recommender.errors import RequestError
from recommender.feed.sealing import DIGEST_BYTES, Seal

_VERSION: Final = 1
# Version, time of issue, cursor, delivered, binding; the locator is what follows.
_HEAD: Final = struct.Struct(f"<BqII{DIGEST_BYTES}s")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins.

    Args:
        locator: Of the snapshot; empty where the list needs none.
        cursor: Index of the first entry that was not looked at yet.
        delivered: Cards delivered before; the position of the page's first card.
    """

    locator: bytes = b""
    cursor: int = 0
    delivered: int = 0


class PageTokens:
    """Issues and reads the tokens of one kind of list.

    Args:
        key: The signing key.
        purpose: Of the list, at most 14 ASCII characters.
        ttl_ms: How long a token is valid; each page hands out a new one.
    """

    def __init__(self, key: bytes, purpose: str, ttl_ms: int) -> None:
        self._seal = Seal(key, purpose)
        self._ttl_ms = ttl_ms

    def binding(self, *parts: Any) -> bytes:
        """What a token is bound to, as a digest of JSON values; a token of another binding is a mismatch."""
        return self._seal.digest(json.dumps(parts, separators=(",", ":")))

    def issue(self, place: Place, binding: bytes, now_ms: int) -> str:
        """A token for a place."""
        head = _HEAD.pack(_VERSION, now_ms, place.cursor, place.delivered, binding)
        return self._seal.close(head + place.locator)

    def read(self, token: str, binding: bytes, now_ms: int) -> Place:
        """The place that a token names.

        Raises:
            RequestError: PAGE_TOKEN_INVALID, PAGE_TOKEN_MISMATCH or PAGE_TOKEN_EXPIRED, in this order.
        """
        payload = self._seal.open(token)
        if payload is None or len(payload) < _HEAD.size or payload[0] != _VERSION:
            raise token_error("INVALID", "is not one that this server gave; send next_page_token unchanged")
        _, issued_ms, cursor, delivered, bound = _HEAD.unpack_from(payload)
        if bound != binding:
            raise token_error("MISMATCH", "was given for another request; repeat what it was given for, or send none")
        if now_ms - issued_ms > self._ttl_ms:
            raise expired_error()
        return Place(payload[_HEAD.size :], cursor, delivered)


def token_error(problem: str, message: str) -> RequestError:
    """The refusal of a page token."""
    return RequestError("INVALID_ARGUMENT", f"PAGE_TOKEN_{problem}", f"page_token {message}", [("page_token", message)])


def expired_error() -> RequestError:
    """The refusal of a token whose list is gone."""
    return token_error("EXPIRED", "is too old; send none to start anew")
