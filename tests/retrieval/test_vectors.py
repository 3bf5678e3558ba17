from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import Bundle, BundleWriter
from recommender.retrieval.vectors import BuiltIndex, VectorIndex, build_index, measure_recall, search_allowed
from recommender.types import Rows, Scores
from tests.worlds import write_tiny_bundle

N, DIM, HEAD = 12_000, 12, 4_096


def exact_index(vectors: Scores) -> VectorIndex:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return VectorIndex(index)


def popular_vectors(rng: np.random.Generator) -> Scores:
    """Clustered vectors whose lengths fall off like popularity does."""
    centres = rng.normal(size=(60, DIM))
    vectors = centres[rng.integers(0, 60, N)] + 0.4 * rng.normal(size=(N, DIM))
    lengths = (1 + rng.permutation(N)) ** -0.4
    scaled: Scores = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * lengths[:, None]).astype(np.float32)
    return scaled


def unit_vectors(rng: np.random.Generator) -> Scores:
    """Clustered unit vectors."""
    vectors = popular_vectors(rng)
    scaled: Scores = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def copied_vectors(rng: np.random.Generator) -> Scores:
    """150 unit vectors with 80 copies of each."""
    copies: Scores = np.repeat(unit_vectors(rng)[:150], N // 150, axis=0)
    return copies


def queries_near(vectors: Scores) -> Scores:
    """Means of a few vectors, as users are."""
    picked = np.random.default_rng(3).integers(0, len(vectors), (60, 3))
    means: Scores = vectors[picked].mean(axis=1).astype(np.float32)
    return means


def build(vectors: Scores, *, min_recall: float = 0.95, exact_below: int = 0, seed: int = 7) -> BuiltIndex:
    return build_index(vectors, queries_near(vectors), exact_below=exact_below, min_recall=min_recall, seed=seed)


def true_recall(index: VectorIndex, vectors: Scores) -> float:
    """Recall@100 by plain numpy, by product."""
    shares = []
    for query in queries_near(vectors):
        products = vectors @ query
        hundredth = np.sort(products)[-100]
        rows = index.search(query, 100)[0]
        shares.append((products[rows] >= hundredth - 1e-6 * products.max()).sum() / 100)
    return float(np.mean(shares))


@pytest.fixture(scope="module")
def popular() -> Scores:
    return popular_vectors(np.random.default_rng(1))


@pytest.fixture(scope="module")
def popular_index(popular: Scores) -> BuiltIndex:
    return build(popular)


grids = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=n, max_size=n)
)


@given(grids, st.lists(st.integers(-3, 3), min_size=3, max_size=3), st.integers(0, 15))
def test_exact_search_is_a_plain_sort_of_products(grid: list[list[int]], query: list[int], k: int) -> None:
    vectors, asked = np.array(grid, np.float32), np.array(query, np.float32)
    products = vectors @ asked
    for index in (exact_index(vectors), headed(vectors)):
        rows, found = index.search(asked, k)
        assert (rows.dtype, found.dtype) == (np.dtype(np.int32), np.dtype(np.float32))
        assert len(set(rows.tolist())) == len(rows) == min(k, len(vectors))
        np.testing.assert_array_equal(found, products[rows])
        np.testing.assert_array_equal(found, np.sort(products)[::-1][:k])


def headed(vectors: Scores) -> VectorIndex:
    """An index whose head is every second vector and whose tail is exact."""
    rows = np.arange(len(vectors), dtype=np.int32)
    tail = exact_index(np.ascontiguousarray(vectors[1::2])).tail
    return VectorIndex(tail, rows[1::2], vectors[::2], rows[::2])


@pytest.mark.parametrize("vectors", [np.empty((0, 3), np.float32)])
def test_an_index_of_nothing_finds_nothing(vectors: Scores) -> None:
    rows, products = exact_index(vectors).search(np.ones(3, np.float32), 5)
    assert (rows.tolist(), products.tolist()) == ([], [])


def test_vectors_of_uneven_length_get_a_head_and_hold_the_recall(popular: Scores, popular_index: BuiltIndex) -> None:
    assert popular_index.kind == "head_and_inverted_file"
    assert popular_index.recall >= 0.95
    assert true_recall(popular_index.index, popular) == pytest.approx(popular_index.recall, abs=1e-3)
    longest = np.argsort(-np.linalg.norm(popular, axis=1))[:HEAD]
    assert popular_index.index.head_rows is not None
    assert set(popular_index.index.head_rows.tolist()) == set(longest.tolist())


def test_what_stands_in_the_head_is_found_whatever_the_probes(popular: Scores, popular_index: BuiltIndex) -> None:
    once = replace(popular_index.index, probes=1)
    assert once.head_rows is not None
    for query in queries_near(popular)[:20]:
        best = np.argsort(-(popular @ query))[:50]
        in_head = set(best.tolist()) & set(once.head_rows.tolist())
        assert in_head <= set(once.search(query, 50)[0].tolist())


def test_products_are_exact_and_rows_unique(popular: Scores, popular_index: BuiltIndex) -> None:
    for query in queries_near(popular):
        rows, products = popular_index.index.search(query, 300)
        assert len(set(rows.tolist())) == len(rows)
        assert (np.diff(products) <= 0).all()
        np.testing.assert_allclose(products, popular[rows] @ query, atol=1e-6)


@pytest.mark.parametrize("made", [unit_vectors, copied_vectors])
def test_vectors_of_one_length_need_no_head(made: Callable[[np.random.Generator], Scores]) -> None:
    vectors = made(np.random.default_rng(2))
    built = build(vectors)
    assert built.kind == "inverted_file"
    assert built.index.head is None
    assert true_recall(built.index, vectors) >= 0.95


def test_a_copy_of_the_right_item_is_as_right(popular: Scores) -> None:
    vectors = copied_vectors(np.random.default_rng(4))
    reversed_rows = np.arange(N - 1, -1, -1, dtype=np.int32)
    other_copies = VectorIndex(exact_index(np.ascontiguousarray(vectors[::-1])).tail, reversed_rows)
    queries = queries_near(vectors)
    named = [
        len(set(other_copies.search(query, 100)[0].tolist()) & set(exact_index(vectors).search(query, 100)[0].tolist()))
        for query in queries[:10]
    ]
    assert np.mean(named) < 95
    assert measure_recall(other_copies, exact_index(vectors), vectors, queries) == 1.0


def test_missing_and_wrong_rows_lower_the_recall(popular: Scores) -> None:
    exact, queries = exact_index(popular), queries_near(popular)
    half = VectorIndex(exact_index(popular[: N // 2].copy()).tail)
    recall = measure_recall(half, exact, popular, queries)
    assert recall == pytest.approx(true_recall(half, popular), abs=1e-3)
    assert 0.2 < recall < 0.8


def test_where_no_probes_hold_the_recall_search_is_exact(popular: Scores) -> None:
    built = build(popular, min_recall=1.1)
    assert (built.kind, built.recall, built.index.probes) == ("exact", 1.0, 0)
    query = queries_near(popular)[0]
    np.testing.assert_allclose(built.index.search(query, 20)[1], np.sort(popular @ query)[::-1][:20], rtol=1e-5)


def test_small_catalogues_and_those_without_queries_are_searched_exactly(popular: Scores) -> None:
    assert build(popular, exact_below=N + 1).kind == "exact"
    assert build(popular[:1_000]).kind == "exact"
    none = np.empty((0, DIM), np.float32)
    assert build_index(popular, none, exact_below=0, min_recall=0.5, seed=1).kind == "exact"


def test_the_same_seed_builds_the_same_bytes(popular: Scores, popular_index: BuiltIndex) -> None:
    def bytes_of(built: BuiltIndex) -> bytes:
        written: bytes = faiss.serialize_index(built.index.tail).tobytes()
        return written

    assert bytes_of(build(popular)) == bytes_of(popular_index)
    assert bytes_of(build(popular, seed=8)) != bytes_of(popular_index)


@pytest.mark.parametrize("kind", ["exact", "inverted_file", "head_and_inverted_file"])
def test_an_index_read_from_its_bundle_finds_the_same(
    kind: str, popular: Scores, popular_index: BuiltIndex, tmp_path: Path
) -> None:
    vectors = popular if kind == "head_and_inverted_file" else unit_vectors(np.random.default_rng(2))
    built = popular_index if vectors is popular else build(vectors, min_recall=1.1 if kind == "exact" else 0.95)
    assert built.kind == kind
    tiny = write_tiny_bundle(tmp_path / "b")
    writer = BundleWriter(tiny.folder)
    writer.vectors("other", built.index)
    bundle = Bundle(tiny.folder, writer.finish(tiny.manifest))
    mapped = bundle.vectors("other", built.index.probes)
    for query in queries_near(vectors):
        for own, read in zip(built.index.search(query, 150), mapped.search(query, 150), strict=True):
            np.testing.assert_array_equal(own, read)


@given(grids, st.data())
def test_among_allowed_rows_search_is_a_plain_sort(grid: list[list[int]], data: st.DataObject) -> None:
    vectors = np.array(grid, np.float32)
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(grid), max_size=len(grid))), np.bool_)
    query = np.array([1.0, -2.0, 3.0], np.float32)
    rows, products = search_allowed(vectors, allowed, query, 4)
    assert allowed[rows].all()
    assert len(set(rows.tolist())) == len(rows)
    np.testing.assert_array_equal(products, np.sort((vectors @ query)[allowed])[::-1][:4])
    np.testing.assert_array_equal(products, vectors[rows] @ query)
    known: Rows = rows
    assert known.dtype == np.int32
