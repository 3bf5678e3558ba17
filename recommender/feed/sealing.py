"""Small payloads as authenticated, URL-safe text: the form of page tokens and receipts."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hmac import compare_digest
from typing import Final, NamedTuple

MAC_BYTES: Final = 12
DIGEST_BYTES: Final = 8
_MAX_TEXT: Final = 1_024


class Seal:
    """Seals payloads for one purpose; what was sealed for another purpose or by another key does not open.

    Args:
        key: At least 16 bytes, kept secret.
        purpose: At most 14 ASCII characters; two purposes under one key are as good as two keys.

    Example:
        >>> seal = Seal(b"sixteen bytes at least", "example")
        >>> seal.open(seal.close(b"payload"))
        b'payload'
        >>> seal.open("forged") is None
        True

    Source: keyed BLAKE2b, RFC 7693, with its personalisation as the purpose.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        short = hashlib.blake2b(key, digest_size=32).digest()
        # Copies of a keyed state cost a third of making one.
        self._mac = hashlib.blake2b(key=short, digest_size=MAC_BYTES, person=f"m:{purpose}".encode())
        self._digest = hashlib.blake2b(key=short, digest_size=DIGEST_BYTES, person=f"d:{purpose}".encode())

    def close(self, payload: bytes) -> str:
        """The payload with its authentication, as text without padding."""
        return urlsafe_b64encode(payload + self._tag(payload)).rstrip(b"=").decode("ascii")

    def open(self, text: str) -> bytes | None:
        """The payload of a text that this seal closed, None for any other text."""
        if len(text) > _MAX_TEXT:
            return None
        try:
            raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        payload = raw[:-MAC_BYTES]
        # Closing again, instead of comparing tags, also refuses the other spellings that base64 allows.
        return payload if len(raw) >= MAC_BYTES and _same(self.close(payload), text) else None

    def digest(self, text: str) -> bytes:
        """Eight bytes that stand for a text; without the key, the text cannot be found by trying."""
        keyed = self._digest.copy()
        keyed.update(text.encode())
        return keyed.digest()

    def _tag(self, payload: bytes) -> bytes:
        keyed = self._mac.copy()
        keyed.update(payload)
        return keyed.digest()


class Seals:
    """The seals of one purpose under several keys: the first closes, each of them opens.

    Args:
        keys: The one that signs first, then those that it took over from.
        purpose: As of a `Seal`.

    Example:
        >>> old, new = b"sixteen bytes at least", b"another sixteen bytes!"
        >>> Seals([new, old], "example").open(Seal(old, "example").close(b"payload")).payload
        b'payload'
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self.first, *self._earlier = (Seal(key, purpose) for key in keys)

    def open(self, text: str) -> Opened | None:
        """What a text holds and which seal it was closed by, None for a text that none of them closed."""
        for seal in (self.first, *self._earlier):
            if (payload := seal.open(text)) is not None:
                return Opened(payload, seal)
        return None


class Opened(NamedTuple):
    """A payload, and the seal whose digests it holds."""

    payload: bytes
    seal: Seal


def _same(left: str, right: str) -> bool:
    return compare_digest(left.encode(), right.encode())
