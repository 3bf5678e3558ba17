from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recommender.encoders.text import (
    N_BUCKETS,
    TextEncoder,
    brand_terms,
    category_terms,
    hashed_counts,
    title_terms,
    weighted_terms,
)
from recommender.types import Item, Scores
from training.catalogue import Catalogue
from training.models.content import inverse_document_frequencies, term_matrix

#: RED in the wide forms that Japanese shops type.
WIDE_RED = "\uff32\uff25\uff24"
#: Texts of (category, brand, title): shared levels, shared words, other scripts, and fields left empty.
TEXTS = [
    ("Women > Shoes > Boots", "Acme", "Red leather boots"),
    ("Women > Shoes", "acme", "Red canvas shoes, size 38"),
    ("Men > Shoes", "Zürich & Söhne", "Blaue Schuhe für Herren"),
    ("Men", "", "A coat"),
    ("", "Acme", ""),
    ("", "", "ボーダーシャツ " + WIDE_RED),
    ("Home > Kitchen", "", "Bread knife"),
    ("Home > Kitchen", "Solo", "Knife block with bread knife"),
    ("Home", "Solo", ""),
    ("", "", ""),
]
FIELDS: tuple[Callable[[str], list[str]], ...] = (category_terms, brand_terms, title_terms)


def catalogue_of(texts: Sequence[tuple[str, str, str]]) -> Catalogue:
    items = [Item(f"i{at}", category=c, brand=b, title=t) for at, (c, b, t) in enumerate(texts)]
    return Catalogue.of_items(items)


def of_scikit_learn(texts: Sequence[tuple[str, str, str]]) -> sp.csr_matrix:
    """Each field by TfidfVectorizer over our terms, weighed equally among the fields that an item has."""
    columns = list(zip(*texts, strict=True))
    blocks = [
        TfidfVectorizer(analyzer=terms_of).fit_transform(column)
        for terms_of, column in zip(FIELDS, columns, strict=True)
    ]
    joined = sp.hstack(blocks).tocsr()
    lengths = np.sqrt(np.asarray(joined.multiply(joined).sum(axis=1)).ravel())
    return sp.diags(1 / np.maximum(lengths, 1e-12)) @ joined


def cosines(matrix: sp.csr_matrix) -> npt.NDArray[np.float64]:
    products: npt.NDArray[np.float64] = (matrix @ matrix.T).toarray()
    return products


def test_cosines_are_those_of_scikit_learn_where_no_buckets_collide() -> None:
    terms = {term for text in TEXTS for terms_of, part in zip(FIELDS, text, strict=True) for term in terms_of(part)}
    assert len({int(hashed_counts([term])[0][0]) for term in terms}) == len(terms)
    catalogue = catalogue_of(TEXTS)
    ours = cosines(term_matrix(catalogue, inverse_document_frequencies(catalogue)))
    np.testing.assert_allclose(ours, cosines(of_scikit_learn(TEXTS)), atol=1e-6)
    assert ours[6, 7] > ours[6, 0]


@given(st.text(max_size=40))
def test_title_terms_are_scikit_learn_s_n_grams_within_words(title: str) -> None:
    analyze = CountVectorizer(analyzer="char_wb", ngram_range=(3, 4), lowercase=False).build_analyzer()
    wanted = analyze(unicodedata.normalize("NFKC", title).lower())
    assert Counter(title_terms(title)) == Counter(f"t:{gram}" for gram in wanted)


def test_a_word_of_one_letter_is_one_term() -> None:
    assert title_terms("a") == ["t: a "]


def test_how_a_title_is_typed_does_not_matter() -> None:
    assert title_terms(f"{WIDE_RED}  boots") == title_terms("red Boots") == title_terms("\tred\nboots ")
    assert brand_terms("STRASSE") == brand_terms("straße")


def test_a_path_shares_the_terms_of_all_above_it() -> None:
    assert category_terms("") == []
    assert set(category_terms("A > B > C")) & set(category_terms("A > B > D")) == {"c:A", "c:A > B"}
    assert not set(category_terms("A > B")) & set(category_terms("B"))


def test_the_same_word_in_two_fields_is_two_terms() -> None:
    assert not set(category_terms("Red")) & {*brand_terms("Red"), *title_terms("Red")}


@given(st.lists(st.text(max_size=5), max_size=20))
def test_counts_are_by_bucket_ascending_and_lose_no_term(terms: list[str]) -> None:
    buckets, counts = hashed_counts(terms)
    assert buckets.tolist() == sorted(set(buckets.tolist()))
    assert all(0 <= bucket < N_BUCKETS for bucket in buckets.tolist())
    assert counts.sum() == len(terms)
    assert (counts > 0).all()


def test_buckets_are_the_same_in_every_run() -> None:
    assert hashed_counts(["t:red", "b:acme"])[0].tolist() == [12_106, 51_959]


IDF = np.linspace(1, 9, N_BUCKETS, dtype=np.float32)
BASIS: Scores = (np.random.default_rng(8).normal(size=(N_BUCKETS, 16)) / 4).astype(np.float32)
anything = st.text(max_size=25)


@given(anything, anything, anything)
def test_any_text_has_a_finite_vector_of_unit_length_or_none(category: str, brand: str, title: str) -> None:
    buckets, values = weighted_terms(IDF, category, brand, title)
    assert (buckets.dtype, values.dtype) == (np.dtype(np.int32), np.dtype(np.float32))
    assert (values > 0).all()
    n_fields = sum(bool(terms_of(text)) for terms_of, text in zip(FIELDS, (category, brand, title), strict=True))
    assert float(values @ values) == pytest.approx(float(n_fields > 0), abs=1e-5)
    vector = TextEncoder(IDF, BASIS).encode(category, brand, title)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(float(n_fields > 0), abs=1e-5)


def test_the_fields_that_an_item_has_weigh_the_same() -> None:
    buckets, values = weighted_terms(IDF, "A > B", "Acme", "A title of many words")
    brand = int(hashed_counts(brand_terms("Acme"))[0][0])
    assert values[buckets == brand] ** 2 == pytest.approx(1 / 3)


def test_an_item_encoded_alone_is_where_training_put_it() -> None:
    catalogue = catalogue_of(TEXTS)
    idf = inverse_document_frequencies(catalogue)
    projected = term_matrix(catalogue, idf) @ BASIS
    trained = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)
    encoder = TextEncoder(idf, BASIS)
    np.testing.assert_allclose([encoder.encode(*text) for text in TEXTS], trained, atol=1e-5)


def test_words_that_the_projection_never_met_give_no_direction() -> None:
    basis = np.full((N_BUCKETS, 4), 1e-6, np.float32)
    basis[hashed_counts(brand_terms("Acme"))[0]] = 0.5
    encoder = TextEncoder(IDF, basis)
    assert not encoder.encode("", "", "unheard of").any()
    assert np.linalg.norm(encoder.encode("", "Acme", "unheard of")) == pytest.approx(1.0)
