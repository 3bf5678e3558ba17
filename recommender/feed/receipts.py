"""Receipts: what a card carries so that an event on it can be traced to the page, place and model that showed it."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from recommender.feed.sealing import DIGEST_BYTES, Seal, Seals

_VERSION: Final = 1
_NOBODY: Final = bytes(DIGEST_BYTES)
# Version, time, position, propensity, viewer, item, lengths of request id, source and model.
_HEAD: Final = struct.Struct(f"<BqIf{DIGEST_BYTES}s{DIGEST_BYTES}sBBB")
_WEEK_MS: Final = 604_800_000


class ReceiptProblem(StrEnum):
    """Why a receipt attributes nothing."""

    BAD = "bad"
    EXPIRED = "expired"
    OTHER_ITEM = "other_item"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which card of which page an event happened on.

    Args:
        request_id: The snapshot's request; with `position` it names one card.
        time_ms: When the page was delivered.
        position: Cards delivered before this one.
        source: The source that led, `tail` for what was only popular.
        model: The model version that ordered the snapshot.
        propensity: Probability, in (0, 1], that the policy put this item there.
    """

    request_id: str
    time_ms: int
    position: int
    source: str
    model: str
    propensity: float


class ReceiptSigner:
    """Issues and reads receipts; any process with its key reads them.

    Args:
        keys: The signing keys, the one that signs first.
        ttl_ms: How long a receipt is valid.
    """

    def __init__(self, keys: Sequence[bytes], ttl_ms: int = _WEEK_MS) -> None:
        self._seals = Seals(keys, "receipt")
        self._ttl_ms = ttl_ms

    def viewer(self, user_id: str, session_id: str) -> bytes:
        """What stands in a receipt for whom it was issued to: the user, else the session, else nobody."""
        return _viewer(self._seals.first, user_id, session_id)

    def issue(self, attribution: Attribution, item_id: str, viewer: bytes) -> str:
        """A receipt for one card.

        Args:
            attribution: What it will attest.
            item_id: The card's item; an event on another item is refused.
            viewer: `viewer(user_id, session_id)` of the request, made once per page.

        Cost: 4 us.
        """
        seal = self._seals.first
        request_id, source, model = (
            text.encode()[:255] for text in (attribution.request_id, attribution.source, attribution.model)
        )
        head = _HEAD.pack(
            _VERSION,
            attribution.time_ms,
            attribution.position,
            attribution.propensity,
            viewer,
            seal.digest(f"item:{item_id}"),
            len(request_id),
            len(source),
            len(model),
        )
        return seal.close(head + request_id + source + model)

    def read(
        self, receipt: str, now_ms: int, item_id: str, user_id: str, session_id: str
    ) -> Attribution | ReceiptProblem:
        """What a receipt attests for an event.

        Args:
            receipt: As it came back.
            now_ms: The clock's time.
            item_id: The event's item.
            user_id: The event's user; a receipt of the session alone holds for the user who signs in within it.
            session_id: The event's session.

        Returns:
            BAD where it is forged or somebody else's, OTHER_ITEM where it is one for another item, EXPIRED where it
            is too old; an expired one for another item is OTHER_ITEM.
        """
        opened = self._seals.open(receipt)
        if opened is None or len(opened.payload) < _HEAD.size or opened.payload[0] != _VERSION:
            return ReceiptProblem.BAD
        payload, seal = opened
        _, time_ms, position, propensity, viewer, item, *lengths = _HEAD.unpack_from(payload)
        if viewer not in (_NOBODY, _viewer(seal, user_id, ""), _viewer(seal, "", session_id)):
            return ReceiptProblem.BAD
        if item != seal.digest(f"item:{item_id}"):
            return ReceiptProblem.OTHER_ITEM
        if now_ms - time_ms > self._ttl_ms:
            return ReceiptProblem.EXPIRED
        request_id, source, model = _texts(payload[_HEAD.size :], lengths)
        return Attribution(request_id, time_ms, position, source, model, propensity)


def new_request_id() -> str:
    """A name for one request that nobody can guess: 16 URL-safe characters."""
    return secrets.token_urlsafe(12)


def _viewer(seal: Seal, user_id: str, session_id: str) -> bytes:
    if user_id:
        return seal.digest(f"user:{user_id}")
    return seal.digest(f"session:{session_id}") if session_id else _NOBODY


def _texts(data: bytes, lengths: list[int]) -> list[str]:
    texts, start = [], 0
    for length in lengths:
        texts.append(data[start : start + length].decode(errors="ignore"))
        start += length
    return texts
