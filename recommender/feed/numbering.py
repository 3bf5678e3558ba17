"""Between the rows of one bundle and the permanent item numbers that may leave the process."""

from __future__ import annotations

import copy

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
        self._new = np.empty(0, np.int64)
        self._new_order = np.empty(0, np.intp)
        self._rows = np.full(int(numbers.max(initial=-1)) + 2, -1, np.int32)
        self._rows[numbers] = np.arange(len(numbers), dtype=np.int32)

    def with_new(self, numbers: Numbers) -> Numbering:
        """The same, with new items behind the bundle's rows.

        Args:
            numbers: int64 [n_new], theirs; none is the bundle's.
        """
        other = copy.copy(self)
        vars(other).update(_new=numbers, _new_order=np.argsort(numbers))
        return other

    def numbers(self, rows: Rows) -> Numbers:
        """int64 [n], -1 where the row is -1."""
        if not len(self._new):
            return np.where(rows >= 0, self._numbers[rows], -1)
        n_items = len(self._numbers)
        found = np.full(len(rows), -1, np.int64)
        known, new = (rows >= 0) & (rows < n_items), rows >= n_items
        found[known], found[new] = self._numbers[rows[known]], self._new[rows[new] - n_items]
        return found

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """int32 [n], -1 where this bundle has no such item or the number is -1."""
        # The last entry is always -1: it stands for every number beyond those of this bundle, and for -1 itself.
        rows: Rows = self._rows[np.minimum(numbers, len(self._rows) - 1)]
        if len(self._new):
            unknown = np.flatnonzero((rows < 0) & (numbers >= 0))
            place = np.searchsorted(self._new, numbers[unknown], sorter=self._new_order)
            new = self._new_order[np.minimum(place, len(self._new) - 1)]
            found = self._new[new] == numbers[unknown]
            rows[unknown[found]] = len(self._numbers) + new[found]
        return rows
