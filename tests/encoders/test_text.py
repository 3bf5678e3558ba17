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
    brand_buckets,
    bucket_of,
    category_buckets,
    title_buckets,
    weighted_terms,
)
from recommender.types import Item, Rows, Scores
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
FIELDS: tuple[Callable[[str], Rows], ...] = (category_buckets, brand_buckets, title_buckets)


def levels_of(category: str) -> list[str]:
    levels = [level for level in category.split(" > ") if level]
    return [f"c:{' > '.join(levels[:depth])}" for depth in range(1, len(levels) + 1)]


def brand_of(brand: str) -> list[str]:
    return [f"b:{brand.casefold()}"] if brand else []


def grams_of(title: str) -> list[str]:
    analyze = CountVectorizer(analyzer="char_wb", ngram_range=(3, 4), lowercase=False).build_analyzer()
    return [f"t:{gram}" for gram in analyze(unicodedata.normalize("NFKC", title).lower())]


def catalogue_of(texts: Sequence[tuple[str, str, str]]) -> Catalogue:
    items = [Item(f"i{at}", category=c, brand=b, title=t) for at, (c, b, t) in enumerate(texts)]
    return Catalogue.of_items(items)


def of_scikit_learn(texts: Sequence[tuple[str, str, str]]) -> sp.csr_matrix:
    """Each field by TfidfVectorizer over its terms, weighed equally among the fields that an item has."""
    columns = list(zip(*texts, strict=True))
    blocks = [
        TfidfVectorizer(analyzer=terms_of).fit_transform(column)
        for terms_of, column in zip((levels_of, brand_of, grams_of), columns, strict=True)
    ]
    joined = sp.hstack(blocks).tocsr()
    lengths = np.sqrt(np.asarray(joined.multiply(joined).sum(axis=1)).ravel())
    return sp.diags(1 / np.maximum(lengths, 1e-12)) @ joined


def cosines(matrix: sp.csr_matrix) -> npt.NDArray[np.float64]:
    products: npt.NDArray[np.float64] = (matrix @ matrix.T).toarray()
    return products


def test_cosines_are_those_of_scikit_learn_where_no_buckets_collide() -> None:
    fields = zip((levels_of, brand_of, grams_of), zip(*TEXTS, strict=True), strict=True)
    terms = {term for terms_of, column in fields for text in column for term in terms_of(text)}
    assert len({bucket_of(term) for term in terms}) == len(terms)
    catalogue = catalogue_of(TEXTS)
    ours = cosines(term_matrix(catalogue, inverse_document_frequencies(catalogue)))
    np.testing.assert_allclose(ours, cosines(of_scikit_learn(TEXTS)), atol=1e-6)
    assert ours[6, 7] > ours[6, 0]


@given(st.text(max_size=40))
def test_title_terms_are_scikit_learn_s_n_grams_within_words(title: str) -> None:
    assert Counter(title_buckets(title).tolist()) == Counter(bucket_of(gram) for gram in grams_of(title))


@given(st.text(max_size=20))
def test_a_category_s_terms_are_its_levels_with_all_above_them(category: str) -> None:
    assert category_buckets(category).tolist() == [bucket_of(term) for term in levels_of(category)]
    assert brand_buckets(category).tolist() == [bucket_of(term) for term in brand_of(category)]


def test_a_word_of_one_letter_is_one_term() -> None:
    assert title_buckets("a").tolist() == [bucket_of("t: a ")]


def test_how_a_title_is_typed_does_not_matter() -> None:
    typed = [title_buckets(title).tolist() for title in (f"{WIDE_RED}  boots", "red Boots", "\tred\nboots ")]
    assert typed[0] == typed[1] == typed[2]
    assert brand_buckets("STRASSE").tolist() == brand_buckets("straße").tolist()


def test_a_path_shares_the_terms_of_all_above_it() -> None:
    cousins = [set(category_buckets(path).tolist()) for path in ("A > B > C", "A > B > D")]
    assert cousins[0] & cousins[1] == {bucket_of("c:A"), bucket_of("c:A > B")}
    assert not set(category_buckets("A > B").tolist()) & set(category_buckets("B").tolist())


def test_the_same_word_in_two_fields_is_two_terms() -> None:
    others = {*brand_buckets("Red").tolist(), *title_buckets("Red").tolist()}
    assert not set(category_buckets("Red").tolist()) & others


def test_buckets_are_the_same_in_every_run() -> None:
    assert [bucket_of(term) for term in ("t:red", "b:acme")] == [12_106, 51_959]


IDF = np.linspace(1, 9, N_BUCKETS, dtype=np.float32)
BASIS: Scores = (np.random.default_rng(8).normal(size=(N_BUCKETS, 16)) / 4).astype(np.float32)
anything = st.text(max_size=25)


@given(anything, anything, anything)
def test_any_text_has_a_finite_vector_of_unit_length_or_none(category: str, brand: str, title: str) -> None:
    buckets, values = weighted_terms(IDF, category, brand, title)
    assert (buckets.dtype, values.dtype) == (np.dtype(np.int32), np.dtype(np.float32))
    assert (values > 0).all()
    n_fields = sum(len(found(text)) > 0 for found, text in zip(FIELDS, (category, brand, title), strict=True))
    assert float(values @ values) == pytest.approx(float(n_fields > 0), abs=1e-5)
    vector = TextEncoder(IDF, BASIS).encode(category, brand, title)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(float(n_fields > 0), abs=1e-5)


def test_the_fields_that_an_item_has_weigh_the_same() -> None:
    buckets, values = weighted_terms(IDF, "A > B", "Acme", "A title of many words")
    assert values[buckets == brand_buckets("Acme")[0]] ** 2 == pytest.approx(1 / 3)


def test_an_item_encoded_alone_is_where_training_put_it() -> None:
    catalogue = catalogue_of(TEXTS)
    idf = inverse_document_frequencies(catalogue)
    projected = term_matrix(catalogue, idf) @ BASIS
    trained = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)
    encoder = TextEncoder(idf, BASIS)
    np.testing.assert_allclose([encoder.encode(*text) for text in TEXTS], trained, atol=1e-5)


def test_words_that_the_projection_never_met_give_no_direction() -> None:
    basis = np.full((N_BUCKETS, 4), 1e-6, np.float32)
    basis[brand_buckets("Acme")] = 0.5
    encoder = TextEncoder(IDF, basis)
    assert not encoder.encode("", "", "unheard of").any()
    assert np.linalg.norm(encoder.encode("", "Acme", "unheard of")) == pytest.approx(1.0)
