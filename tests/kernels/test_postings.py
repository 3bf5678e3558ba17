from __future__ import annotations

import numpy as np
import pytest

from recommender.kernels.postings import score_postings
from recommender.kernels.top import take_touched

FLOOR = 0.01
#: Two fields: codes 0 to 2 and 3 to 4; the last row has nothing in the second.
CODES = np.array([[0, 3], [0, 4], [1, 3], [2, 4], [1, -1]], np.int32)
COMMON = np.array([0.5, 0.3, 0.2, 0.9, 0.1], np.float32)
OFFSETS = np.array([0, 2, 4, 5, 7, 9], np.int64)
ROWS = np.array([0, 1, 2, 4, 3, 0, 2, 1, 3], np.int32)


def scored(shares: dict[int, float], most: int = 100) -> tuple[dict[int, float], dict[int, int]]:
    """Scores by row and evidence by row; the item that has code c is 10 + c."""
    codes = np.array(sorted(shares, key=lambda code: -shares[code]), np.int32)
    gains = np.log1p(np.array([shares[code] for code in codes.tolist()]) / FLOOR).astype(np.float32)
    sums, evidence, touched = np.zeros(5, np.float32), np.zeros(5, np.int32), np.zeros(5, np.int32)
    n_found = score_postings(
        codes, gains, codes + 10, CODES, COMMON, OFFSETS, ROWS, FLOOR, most, sums, evidence, touched
    )
    rows, scores = take_touched(touched, n_found, sums)
    assert not sums.any()
    return dict(zip(rows.tolist(), scores.tolist(), strict=True)), {row: int(evidence[row]) for row in rows.tolist()}


def test_a_score_is_the_geometric_mean_of_its_fields_lifts() -> None:
    shares = {0: 0.75, 3: 0.25}
    scores, evidence = scored(shares)
    assert set(scores) == {0, 1, 2}
    for row, score in scores.items():
        lifts = [(shares.get(code, 0.0) + FLOOR) / (COMMON[code] + FLOOR) for code in CODES[row].tolist()]
        assert score == pytest.approx(np.sqrt(np.prod(lifts)), rel=1e-5)
    assert evidence == {0: 10, 1: 10, 2: 13}


def test_an_unknown_field_says_neither_yes_nor_no() -> None:
    scores, _ = scored({1: 0.5})
    assert scores[4] == pytest.approx(np.sqrt((0.5 + FLOOR) / (COMMON[1] + FLOOR)), rel=1e-5)


def test_no_further_rows_are_looked_at_once_enough_were_found() -> None:
    scores, _ = scored({0: 0.75, 3: 0.25}, most=2)
    assert set(scores) == {0, 1}
    assert scores[0] == pytest.approx(scored({0: 0.75, 3: 0.25})[0][0])


def test_a_history_without_codes_finds_nothing() -> None:
    assert scored({}) == ({}, {})
