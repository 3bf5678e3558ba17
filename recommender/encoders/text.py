"""Category, brand and title as one unit vector: hashed terms, inverse document frequencies, a learned projection."""

from __future__ import annotations

import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.types import Rows, Scores

N_BUCKETS: Final = 1 << 16
_GRAMS: Final = (3, 4)
_LEVEL_SEPARATOR: Final = " > "
#: Of unit length before the projection; a projection learned in float32 leaves 1e-6 of terms it has never met.
_LEAST_LENGTH: Final = 1e-4


def category_terms(category: str) -> list[str]:
    """Every level of a path, each with all above it, so that cousins share their common part.

    Example:
        >>> category_terms("Women > Shoes")
        ['c:Women', 'c:Women > Shoes']
    """
    levels = [level for level in category.split(_LEVEL_SEPARATOR) if level]
    return [f"c:{_LEVEL_SEPARATOR.join(levels[: depth + 1])}" for depth in range(len(levels))]


def brand_terms(brand: str) -> list[str]:
    """The brand as one term."""
    return [f"b:{brand.casefold()}"] if brand else []


def title_terms(title: str) -> list[str]:
    """Character 3- and 4-grams within words, each word padded with a blank on both sides; NFKC, lower case.

    Example:
        >>> title_terms("Red")
        ['t: re', 't:red', 't:ed ', 't: red', 't:red ']

    Source: scikit-learn's `char_wb` analyzer; a word shorter than an n-gram gives none of that length.
    """
    text = unicodedata.normalize("NFKC", title).lower()
    return [f"t:{gram}" for word in text.split() for gram in _grams_of(f" {word} ")]


def _grams_of(word: str) -> Iterator[str]:
    for size in _GRAMS:
        for start in range(len(word) - size + 1):
            yield word[start : start + size]


def hashed_counts(terms: list[str]) -> tuple[Rows, Scores]:
    """Distinct buckets int32 [m], ascending, and how often a term fell into each, float32 [m].

    Source: Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009 (unsigned, since with
    65,536 buckets collisions of one item's terms are rare).
    """
    counts = Counter(zlib.crc32(term.encode()) % N_BUCKETS for term in terms)
    buckets = np.array(sorted(counts), np.int32)
    return buckets, np.array([counts[int(bucket)] for bucket in buckets], np.float32)


@dataclass(frozen=True)
class TextEncoder:
    """The encoder of one bundle.

    Args:
        idf: float32 [N_BUCKETS], log((1 + n) / (1 + df)) + 1 over n items, df of which have the bucket.
        basis: float32 [N_BUCKETS, dim], the projection.
    """

    idf: Scores
    basis: Scores

    def terms(self, category: str, brand: str, title: str) -> tuple[Rows, Scores]:
        """Buckets int32 [m] and values float32 [m] of an item; see `weighted_terms`."""
        return weighted_terms(self.idf, category, brand, title)

    def encode(self, category: str, brand: str, title: str) -> Scores:
        """Unit vector float32 [dim] of an item; zeros where it has no content that the projection knows."""
        buckets, values = self.terms(category, brand, title)
        vector = values @ self.basis[buckets] if len(buckets) else np.zeros(self.basis.shape[1], np.float32)
        length = float(np.linalg.norm(vector))
        unit: Scores = (vector / length if length > _LEAST_LENGTH else np.zeros_like(vector)).astype(np.float32)
        return unit


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
    buckets, values = [], []
    for terms in (category_terms(category), brand_terms(brand), title_terms(title)):
        if terms:
            own, counts = hashed_counts(terms)
            weights = counts * idf[own]
            buckets.append(own)
            values.append(weights / np.linalg.norm(weights))
    if not buckets:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    joined = np.concatenate(values) / np.sqrt(len(values))
    return np.concatenate(buckets), joined.astype(np.float32)
