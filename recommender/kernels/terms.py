"""Texts as hashed terms: n-grams to buckets, buckets to weights, weights to a vector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows, Scores

_POLYNOMIAL = 0xEDB88320
_BLANK = np.uint8(ord(" "))


def _table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & np.uint32(1), (table >> np.uint32(1)) ^ np.uint32(_POLYNOMIAL), table >> np.uint32(1))
    return table


_CRC = _table()


@njit(nogil=True, cache=True)
def gram_buckets(text: npt.NDArray[np.uint8], prefix: int, shortest: int, longest: int, n_buckets: int) -> Rows:
    """Buckets of the n-grams of code points within words, each word with the blanks on both sides of it.

    Args:
        text: uint8 [n], UTF-8; begins and ends with a blank, and one stands between two words.
        prefix: CRC-32 of what stands before each n-gram when it is hashed.
        shortest: Code points of the shortest n-gram, at least 2.
        longest: And of the longest.
        n_buckets: A bucket is the CRC-32 modulo this.

    Returns:
        int32 [m], one for each n-gram, repeats included.

    Cost: 1 us for a title of 40 letters.
    """
    found = np.empty(len(text) * (longest - shortest + 1), np.int32)
    n_found = 0
    for start in range(len(text)):
        if text[start] & 0xC0 == 0x80:  # inside of a code point
            continue
        crc = np.uint32(prefix) ^ np.uint32(0xFFFFFFFF)
        size, at = 0, start
        while size < longest and at < len(text):
            is_blank = text[at] == _BLANK
            crc = _CRC[(crc ^ text[at]) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
            at += 1
            while at < len(text) and text[at] & 0xC0 == 0x80:
                crc = _CRC[(crc ^ text[at]) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
                at += 1
            size += 1
            if size >= shortest:
                found[n_found] = np.int64(crc ^ np.uint32(0xFFFFFFFF)) % n_buckets
                n_found += 1
            if is_blank and size > 1:  # the word ends here
                break
    return found[:n_found].copy()


@njit(nogil=True, cache=True)
def balanced_weights(buckets: Rows, ends: Rows, idf: Scores) -> tuple[Rows, Scores]:
    """Count times idf of each bucket of each field; each field of unit length, then all of them together.

    Args:
        buckets: int32 [n], of all fields, one after the other, repeats included.
        ends: int32 [n_fields], where each field ends; an empty one counts for nothing.
        idf: float32 [n_buckets].

    Returns:
        Buckets int32 [m], ascending and distinct within each field, and values float32 [m].
    """
    distinct, values = np.empty(len(buckets), np.int32), np.empty(len(buckets), np.float32)
    n, start, n_fields = 0, 0, 0
    for end in ends:
        if end == start:
            continue
        first, squares = n, 0.0
        for bucket in np.sort(buckets[start:end]):
            if n > first and distinct[n - 1] == bucket:
                values[n - 1] += idf[bucket]
            else:
                distinct[n], values[n] = bucket, idf[bucket]
                n += 1
        for at in range(first, n):
            squares += np.float64(values[at]) ** 2
        for at in range(first, n):
            values[at] /= np.sqrt(squares)
        start, n_fields = end, n_fields + 1
    for at in range(n):
        values[at] /= np.sqrt(max(n_fields, 1))
    return distinct[:n].copy(), values[:n].copy()


@njit(nogil=True, cache=True)
def unit_projection(buckets: Rows, values: Scores, basis: Scores, least_length: float) -> Scores:
    """The weighted sum of the basis' rows at unit length, float32 [dim]; zeros where it is not longer than a least one.

    Args:
        buckets: int32 [m], repeats allowed.
        values: float32 [m].
        basis: float32 [n_buckets, dim].
        least_length: Below it a direction is noise.
    """
    vector, squares = np.zeros(basis.shape[1], np.float32), 0.0
    for at in range(len(buckets)):
        row, value = buckets[at], values[at]
        for column in range(basis.shape[1]):
            vector[column] += value * basis[row, column]
    for column in range(len(vector)):
        squares += np.float64(vector[column]) ** 2
    length = np.sqrt(squares)
    for column in range(len(vector)):
        vector[column] = vector[column] / length if length > least_length else 0.0
    return vector
