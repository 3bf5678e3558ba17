"""Page tokens: where in which list the next page begins, and for whom; opaque and authenticated."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from recommender.errors import RequestError
from recommender.feed.sealing import DIGEST_BYTES, Seals

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
        keys: The signing keys, the one that signs first.
        purpose: Of the list, at most 14 ASCII characters.
        ttl_ms: How long a token is valid; each page hands out a new one.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str, ttl_ms: int) -> None:
        self._seals = Seals(keys, purpose)
        self._ttl_ms = ttl_ms

    def issue(self, place: Place, binding: str, now_ms: int) -> str:
        """A token for a place, bound to what `binding` says."""
        seal = self._seals.first
        head = _HEAD.pack(_VERSION, now_ms, place.cursor, place.delivered, seal.digest(binding))
        return seal.close(head + place.locator)

    def read(self, token: str, binding: str, now_ms: int) -> Place:
        """The place that a token names.

        Raises:
            RequestError: PAGE_TOKEN_INVALID, PAGE_TOKEN_MISMATCH or PAGE_TOKEN_EXPIRED, in this order.
        """
        opened = self._seals.open(token)
        if opened is None or len(opened.payload) < _HEAD.size or opened.payload[0] != _VERSION:
            raise token_error("INVALID", "is not one that this server gave; send next_page_token unchanged")
        _, issued_ms, cursor, delivered, bound = _HEAD.unpack_from(opened.payload)
        if bound != opened.seal.digest(binding):
            raise token_error("MISMATCH", "was given for another request; repeat what it was given for, or send none")
        if now_ms - issued_ms > self._ttl_ms:
            raise expired_error()
        return Place(opened.payload[_HEAD.size :], cursor, delivered)


def binding_of(*parts: Any) -> str:
    """What a token is bound to, as JSON of its parts; a token of another binding is a mismatch."""
    return json.dumps(parts, separators=(",", ":"))


def token_error(problem: str, message: str) -> RequestError:
    """The refusal of a page token."""
    return RequestError("INVALID_ARGUMENT", f"PAGE_TOKEN_{problem}", f"page_token {message}", [("page_token", message)])


def expired_error() -> RequestError:
    """The refusal of a token whose list is gone."""
    return token_error("EXPIRED", "is too old; send none to start anew")
