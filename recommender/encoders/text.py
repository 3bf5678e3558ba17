"""Category, brand and title as one unit vector: hashed terms, inverse document frequencies, a learned projection."""

from __future__ import annotations

import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from recommender.kernels.terms import balanced_weights, gram_buckets, unit_projection
from recommender.types import Rows, Scores

N_BUCKETS: Final = 1 << 16
_SHORTEST, _LONGEST = 3, 4
_LEVEL_SEPARATOR: Final = " > "
_TITLE: Final = zlib.crc32(b"t:")
#: Of unit length before the projection; a projection learned in float32 leaves 1e-6 of terms it has never met.
_LEAST_LENGTH: Final = 1e-4
#: A shop has few categories and brands for many items.
_KEPT_NAMES: Final = 4_096


def bucket_of(term: str) -> int:
    """Where a term is counted, the same on every machine.

    Example:
        >>> bucket_of("t:red")
        12106

    Source: Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009 (unsigned, since with
    65,536 buckets collisions of one item's terms are rare).
    """
    return zlib.crc32(term.encode()) % N_BUCKETS


@lru_cache(_KEPT_NAMES)
def category_buckets(category: str) -> Rows:
    """One bucket for every level of a path, each with all above it, so that cousins share their common part.

    Example:
        >>> category_buckets("Women > Shoes").tolist() == [bucket_of("c:Women"), bucket_of("c:Women > Shoes")]
        True
    """
    levels = [level for level in category.split(_LEVEL_SEPARATOR) if level]
    return _buckets_of([f"c:{_LEVEL_SEPARATOR.join(levels[: depth + 1])}" for depth in range(len(levels))])


@lru_cache(_KEPT_NAMES)
def brand_buckets(brand: str) -> Rows:
    """The bucket of the brand as one term, caseless."""
    return _buckets_of([f"b:{brand.casefold()}"] if brand else [])


def _buckets_of(terms: list[str]) -> Rows:
    buckets = np.array([bucket_of(term) for term in terms], np.int32)
    buckets.flags.writeable = False  # kept, and given to everybody who asks
    return buckets


def title_buckets(title: str) -> Rows:
    """One bucket for every character 3- and 4-gram within words, each with a blank on both sides; NFKC, lower case.

    Example:
        >>> wanted = [bucket_of(f"t:{gram}") for gram in (" re", " red", "red", "red ", "ed ")]
        >>> title_buckets("Red").tolist() == wanted
        True

    Source: scikit-learn's `char_wb` analyzer; a word shorter than an n-gram gives none of that length.
    """
    text = f" {' '.join(unicodedata.normalize('NFKC', title).lower().split())} "
    return gram_buckets(np.frombuffer(text.encode(), np.uint8), _TITLE, _SHORTEST, _LONGEST, N_BUCKETS)


@dataclass(frozen=True)
class TextEncoder:
    """The encoder of one bundle.

    Args:
        idf: float32 [N_BUCKETS], log((1 + n) / (1 + df)) + 1 over n items, df of which have the bucket.
        basis: float32 [N_BUCKETS, dim], the projection.
    """

    idf: Scores
    basis: Scores

    def encode(self, category: str, brand: str, title: str) -> Scores:
        """Unit vector float32 [dim] of an item; zeros where it has no content that the projection knows.

        Cost: 12 us for a title of six words.
        """
        buckets, values = weighted_terms(self.idf, category, brand, title)
        return unit_projection(buckets, values, self.basis, _LEAST_LENGTH)


def weighted_terms(idf: Scores, category: str, brand: str, title: str) -> tuple[Rows, Scores]:
    """tf-idf of each field, each field of unit length, joined and brought to unit length.

    Fields are balanced because a title has dozens of n-grams and a brand is one term.

    Args:
        idf: float32 [N_BUCKETS].
        category: Path with levels joined by " > ".
        brand: Name.
        title: Text.

    Returns:
        Buckets int32 [m], ascending within each field, and values float32 [m]. Two fields can fall into one bucket,
        which then stands twice; whatever multiplies by a matrix adds the two.

    Source: Salton, Buckley, "Term-weighting approaches in automatic text retrieval", 1988.
    """
    fields = category_buckets(category), brand_buckets(brand), title_buckets(title)
    n_categories = len(fields[0])
    n_names = n_categories + len(fields[1])
    ends = np.array((n_categories, n_names, n_names + len(fields[2])), np.int32)
    return balanced_weights(np.concatenate(fields), ends, idf)
