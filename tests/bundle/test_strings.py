from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import IdIndex, StringColumn, strings

texts = st.lists(st.text(max_size=12), max_size=30)
ids = st.lists(st.text(max_size=12), unique=True, max_size=30)


@given(texts)
def test_a_column_holds_every_string_as_it_was(given_texts: list[str]) -> None:
    column = StringColumn.of(given_texts)
    assert len(column) == len(given_texts)
    assert list(column) == given_texts
    assert [column[row] for row in range(len(column))] == given_texts
    assert [column.raw(row) for row in range(len(column))] == [text.encode() for text in given_texts]
    assert (column.data.dtype, column.offsets.dtype) == (np.dtype(np.uint8), np.dtype(np.int64))


def test_bytes_stay_bytes() -> None:
    column = StringColumn.of_bytes([b"\xff\x00", b"", b"a"])
    assert [column.raw(row) for row in range(3)] == [b"\xff\x00", b"", b"a"]


@pytest.mark.parametrize("row", [-1, 2, 99])
def test_a_row_outside_is_an_error_and_never_another_string(row: int) -> None:
    with pytest.raises(IndexError):
        StringColumn.of(["a", "b"])[row]


@given(ids, texts)
def test_an_id_is_found_at_its_row_and_an_unknown_one_nowhere(known: list[str], asked: list[str]) -> None:
    index = IdIndex.of(StringColumn.of(known))
    wanted = [known.index(text) if text in known else -1 for text in [*known, *asked]]
    assert [index.row(text) for text in [*known, *asked]] == wanted
    rows = index.rows_of([*known, *asked])
    assert rows.dtype == np.int32
    assert rows.tolist() == wanted
    assert (np.diff(index.hashes.astype(object)) >= 0).all()


def test_ids_of_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings, "hash_id", len)
    index = IdIndex.of(StringColumn.of(["aa", "b", "bb", "cc", "ddd", ""]))
    assert [index.row(text) for text in ("aa", "bb", "cc", "b", "ddd", "")] == [0, 2, 3, 1, 4, 5]
    assert [index.row(text) for text in ("dd", "c", "eeee")] == [-1, -1, -1]


def test_hashes_are_the_same_in_every_run() -> None:
    assert strings.hash_id("item-1") == 8_406_168_460_641_299_428
