"""Distinct (user, item) pairs: the one shape in which targets, hidden items and holders are counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.types import Mask

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct pairs, sorted by user, then item.

    Args:
        users: int64 [n], at least 0.
        items: int64 [n], at least 0.
    """

    users: Codes
    items: Codes

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def distinct(cls, users: npt.NDArray[np.signedinteger], items: npt.NDArray[np.signedinteger]) -> Pairs:
        """The distinct pairs of two columns."""
        width = 1 + highest(items)
        keys = np.unique(users.astype(np.int64) * width + items)
        return cls(keys // width, keys % width)

    @classmethod
    def none(cls) -> Pairs:
        """No pair."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    @property
    def n_users(self) -> int:
        """How many users have a pair."""
        return len(np.unique(self.users))

    def where(self, keep: Mask) -> Pairs:
        """The pairs at a mask [n]."""
        return Pairs(self.users[keep], self.items[keep])

    def without(self, others: Pairs) -> Pairs:
        """The pairs that are not among `others`."""
        width = 1 + max(highest(self.items), highest(others.items))
        return self.where(~np.isin(self.users * width + self.items, others.users * width + others.items))

    def grouped(self) -> tuple[Codes, Codes]:
        """The users, ascending, and the offsets [n_users + 1] of their pairs."""
        users = np.unique(self.users)
        return users, self.offsets_of(users)

    def offsets_of(self, users: Codes) -> Codes:
        """Offsets [len(users) + 1] of the pairs of ascending users that include every user here."""
        return np.append(np.searchsorted(self.users, users), len(self)).astype(np.int64)


def highest(codes: npt.NDArray[np.signedinteger]) -> int:
    """The largest code, -1 where there is none."""
    return int(codes.max()) if len(codes) else -1
