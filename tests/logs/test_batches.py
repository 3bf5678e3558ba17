from __future__ import annotations

import duckdb
import numpy as np
import pytest

from recommender.logs.batches import stream_batches


def test_batches_together_are_the_result() -> None:
    sql = "SELECT k::INTEGER AS i, k * 3 AS l, (k % 200)::UTINYINT AS c, k / 2 AS g FROM range(300_000) AS t(k)"
    with duckdb.connect() as connection:
        batches = [{name: column.copy() for name, column in batch.items()} for batch in stream_batches(connection, sql)]
    assert len(batches) > 1
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    k = np.sort(joined["i"])
    np.testing.assert_array_equal(k, np.arange(300_000))
    np.testing.assert_array_equal(joined["l"], joined["i"].astype(np.int64) * 3)
    np.testing.assert_array_equal(joined["c"], joined["i"] % 200)
    np.testing.assert_array_equal(joined["g"], joined["i"] / 2)
    assert {name: column.dtype for name, column in joined.items()} == {
        "i": np.int32,
        "l": np.int64,
        "c": np.uint8,
        "g": np.float64,
    }


def test_an_empty_result_has_no_rows() -> None:
    with duckdb.connect() as connection:
        batches = list(stream_batches(connection, "SELECT 1::INTEGER AS i LIMIT 0"))
    assert sum(len(batch["i"]) for batch in batches) == 0


def test_a_query_that_fails_on_the_way_raises() -> None:
    sql = "SELECT (CASE WHEN k = 250_000 THEN error('half way') ELSE k END)::BIGINT AS l FROM range(300_000) AS t(k)"
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="half way"):
        for _ in stream_batches(connection, sql):
            pass


def test_a_stream_that_is_given_up_frees_the_connection() -> None:
    with duckdb.connect() as connection:
        batches = stream_batches(connection, "SELECT k AS l FROM range(3_000_000) AS t(k)")
        next(batches)
        batches.close()
        assert connection.execute("SELECT 7").fetchall() == [(7,)]
