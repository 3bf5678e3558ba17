from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.ranking import fill_ranker_inputs, linear_terms
from recommender.types import Rows, Scores

N_SOURCES = 3
POPULARITY = np.linspace(0, 1, 10, dtype=np.float32)

Cell = tuple[float, int] | None
cells = st.none() | st.tuples(st.floats(-4, 50, width=32), st.integers(0, 500))
tables = st.lists(st.tuples(st.integers(0, 9), *[cells] * N_SOURCES), max_size=12)


def columns(table: list[tuple[int, Cell, Cell, Cell]]) -> tuple[Rows, Scores, Rows]:
    rows = np.array([row for row, *_ in table], np.int32)
    scores = [[math.nan if cell is None else cell[0] for cell in found] for _, *found in table]
    ranks = [[-1 if cell is None else cell[1] for cell in found] for _, *found in table]
    shape = (-1, N_SOURCES)
    return rows, np.array(scores, np.float32).reshape(shape), np.array(ranks, np.int32).reshape(shape)


@given(tables)
def test_inputs_are_those_of_the_plain_definition(table: list[tuple[int, Cell, Cell, Cell]]) -> None:
    rows, scores, ranks = columns(table)
    out = np.full((len(rows), 4 * N_SOURCES + 1), 77.0, np.float32)
    fill_ranker_inputs(rows, scores, ranks, POPULARITY, out)
    wanted = np.zeros_like(out)
    for source in range(N_SOURCES):
        largest = max((value for value in scores[:, source].tolist() if not math.isnan(value)), default=0.0)
        for place in range(len(rows)):
            value, rank = float(scores[place, source]), int(ranks[place, source])
            cell = [math.nan, math.nan, math.nan, 0.0]
            if rank >= 0:
                share = value / largest if largest > 0 else 0.0
                cell = [math.log(max(value, 1e-6)), share, -math.log1p(rank), 1.0]
            wanted[place, 4 * source : 4 * source + 4] = cell
    wanted[:, -1] = np.log1p(POPULARITY[rows] * 1e4)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)


inputs = st.lists(st.lists(st.floats(-9, 9, width=32) | st.just(math.nan), min_size=3, max_size=3), max_size=8)
weights = st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3)
positive = st.lists(st.floats(0.125, 8, width=32), min_size=3, max_size=3)


@given(inputs, weights, positive, weights)
def test_terms_are_weighted_standardised_inputs_and_nothing_where_one_is_missing(
    table: list[list[float]], means: list[float], scales: list[float], coefficients: list[float]
) -> None:
    given_inputs = np.array(table, np.float32).reshape(-1, 3)
    terms = linear_terms(given_inputs, *(np.array(each, np.float32) for each in (means, scales, coefficients)))
    wanted = np.nan_to_num((given_inputs - np.array(means)) / np.array(scales) * np.array(coefficients), nan=0.0)
    assert terms.dtype == np.float32
    np.testing.assert_allclose(terms, wanted, rtol=1e-4, atol=1e-5)
