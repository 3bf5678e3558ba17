"""Names and their codes: a bundle's table, and behind it the names that came since."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recommender.bundle import IdIndex
from recommender.types import Rows


class Names:
    """A table that can only grow, so that a code means the same for ever.

    Args:
        table: Of the bundle; its codes come first.
    """

    def __init__(self, table: IdIndex) -> None:
        self._table = table
        self._new: list[str] = []
        self._added: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._table.ids) + len(self._new)

    def name(self, code: int) -> str:
        """The name of a code, empty for -1."""
        if code < 0:
            return ""
        n_known = len(self._table.ids)
        return self._table.ids[int(code)] if code < n_known else self._new[code - n_known]

    def code(self, name: str) -> int:
        """The code of a name, -1 where it is unknown."""
        code = self._added.get(name, -1)
        return code if code >= 0 else self._table.row(name)

    def codes(self, names: Iterable[str]) -> Rows:
        """int32 [n], codes of the names that are known."""
        codes = np.fromiter(map(self.code, names), np.int32)
        return codes[codes >= 0]

    def add(self, name: str) -> int:
        """The code of a name, a new one where it has none; -1 for an empty name.

        Cost: 0.1 us the next time; a look into the table takes ten times that.
        """
        if not name:
            return -1
        code = self.code(name)
        if code < 0:
            code = len(self)
            self._new.append(name)
        self._added[name] = code
        return code
