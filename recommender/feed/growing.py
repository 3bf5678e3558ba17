"""Arrays that grow and change while readers hold views of what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class GrowingArray:
    """An array for one writer, whose views never change.

    What is appended lies behind every view that was given out, so it costs no copy; a value that a view shows is
    changed in a copy, one for all changes between two views.

    Args:
        values: To begin with; copied.
    """

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self._array = values.copy()
        self._n = len(values)
        self._shown = 0

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, at: int) -> Any:
        return self._array[at]

    def append(self, value: Any) -> None:
        """Add a value at the end."""
        if self._n == len(self._array):
            larger = np.empty((max(16, 2 * self._n), *self._array.shape[1:]), self._array.dtype)
            larger[: self._n] = self._array
            self._array, self._shown = larger, 0
        self._array[self._n] = value
        self._n += 1

    def replace(self, at: int, value: Any) -> None:
        """Change a value."""
        if at < self._shown:
            self._array, self._shown = self._array.copy(), 0
        self._array[at] = value

    def view(self) -> npt.NDArray[Any]:
        """All values as they are now, read-only."""
        self._shown = self._n
        view = self._array[: self._n]
        view.flags.writeable = False
        return view
