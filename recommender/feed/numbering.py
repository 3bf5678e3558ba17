"""Between the rows of one bundle and the permanent item numbers that may leave the process."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.state.protocols import Numbers
from recommender.types import Rows


class Numbering:
    """Rows to numbers and back, for one bundle.

    Args:
        numbers: int64 [n_items], the number of each row; state gives them out from small to large, so that the way
            back is an array of as many entries as there ever were items.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._rows = np.full(int(numbers.max(initial=-1)) + 2, -1, np.int32)
        self._rows[numbers] = np.arange(len(numbers), dtype=np.int32)

    def numbers(self, rows: Rows) -> Numbers:
        """int64 [n], -1 where the row is -1."""
        return np.where(rows >= 0, self._numbers[rows], -1)

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """int32 [n], -1 where this bundle has no such item or the number is -1."""
        # The last entry is always -1: it stands for every number beyond those of this bundle, and for -1 itself.
        return self._rows[np.minimum(numbers, len(self._rows) - 1)]
