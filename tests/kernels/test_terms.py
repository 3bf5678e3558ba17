from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.terms import balanced_weights, gram_buckets, unit_projection

N_BUCKETS = 97
IDF = np.linspace(1, 9, N_BUCKETS, dtype=np.float32)
BASIS = np.random.default_rng(8).normal(size=(N_BUCKETS, 5)).astype(np.float32)
words = st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=6), min_size=1, max_size=4)
fields = st.lists(st.lists(st.integers(0, N_BUCKETS - 1), max_size=12), max_size=4)


def buckets_of(text: str, shortest: int, longest: int) -> list[int]:
    data = np.frombuffer(text.encode(), np.uint8)
    return [int(bucket) for bucket in gram_buckets(data, zlib.crc32(b"t:"), shortest, longest, N_BUCKETS)]


@given(words, st.integers(2, 3), st.integers(3, 5))
def test_every_n_gram_within_a_word_falls_into_the_bucket_of_its_crc(
    text: list[str], shortest: int, longest: int
) -> None:
    wanted = Counter(
        zlib.crc32(f"t:{padded[start : start + size]}".encode()) % N_BUCKETS
        for padded in (f" {word} " for word in text)
        for size in range(shortest, longest + 1)
        for start in range(len(padded) - size + 1)
    )
    assert Counter(buckets_of(f" {' '.join(text)} ", shortest, longest)) == wanted


@pytest.mark.parametrize("text", ["", " ", "  "])
def test_a_text_without_words_has_no_n_grams(text: str) -> None:
    assert buckets_of(text, 3, 4) == []


@given(fields)
def test_weights_are_counts_times_idf_with_fields_of_equal_length(lists: list[list[int]]) -> None:
    ends = np.cumsum([0, *map(len, lists)])[1:].astype(np.int32)
    flat = np.array([bucket for each in lists for bucket in each], np.int32)
    buckets, values = balanced_weights(flat, ends, IDF)
    wanted = []
    for each in lists:
        counts = sorted(Counter(each).items())
        weights = np.array([count * IDF[bucket] for bucket, count in counts])
        unit = weights / np.linalg.norm(weights) / np.sqrt(sum(map(bool, lists)))
        wanted += [(bucket, weight) for (bucket, _), weight in zip(counts, unit.tolist(), strict=True)]
    assert buckets.tolist() == [bucket for bucket, _ in wanted]
    assert values.tolist() == pytest.approx([weight for _, weight in wanted], rel=1e-5)


@given(st.lists(st.tuples(st.integers(0, N_BUCKETS - 1), st.floats(2**-7, 1.0, width=32)), min_size=1, max_size=20))
def test_a_projection_points_where_the_weighted_sum_of_the_rows_does(terms: list[tuple[int, float]]) -> None:
    buckets = np.array([bucket for bucket, _ in terms], np.int32)
    values = np.array([value for _, value in terms], np.float32)
    total = values @ BASIS[buckets]
    vector = unit_projection(buckets, values, BASIS, 1e-9)
    assert vector.tolist() == pytest.approx((total / np.linalg.norm(total)).tolist(), abs=1e-4)
    assert not unit_projection(buckets, values, BASIS, 1e9).any()


def test_of_no_terms_the_projection_is_nothing() -> None:
    assert unit_projection(np.empty(0, np.int32), np.empty(0, np.float32), BASIS, 0.0).tolist() == [0.0] * 5
