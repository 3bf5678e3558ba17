"""The served record: what one page showed, for counting and learning later; compact, by item numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.feed.records import pack, unpack
from recommender.state.protocols import Numbers
from recommender.types import Scores

_VERSION: Final = 1
_DTYPES: Final = (np.int64, np.float32, np.uint32, np.int8)


@dataclass(frozen=True, slots=True)
class ServedPage:
    """One delivered page.

    Args:
        request_id: The snapshot's request.
        time_ms: When the page was delivered.
        user_id: Whom it was for; empty for an anonymous session.
        session_id: The session that it was asked for in.
        model_version: The bundle that ordered it.
        first_position: Of the first card; the others follow one by one.
        sources: Names behind the bits of `source_masks`.
        item_numbers: int64 [n], in the order shown.
        propensities: float32 [n].
        source_masks: uint32 [n].
        lead_sources: int8 [n], -1 in the tail.
    """

    request_id: str
    time_ms: int
    user_id: str
    session_id: str
    model_version: str
    first_position: int
    sources: tuple[str, ...]
    item_numbers: Numbers
    propensities: Scores
    source_masks: npt.NDArray[np.uint32]
    lead_sources: npt.NDArray[np.int8]

    def encode(self) -> bytes:
        """The page as bytes."""
        header = {
            "request": self.request_id,
            "time": self.time_ms,
            "user": self.user_id,
            "session": self.session_id,
            "model": self.model_version,
            "first": self.first_position,
            "sources": self.sources,
        }
        return pack(_VERSION, header, (self.item_numbers, self.propensities, self.source_masks, self.lead_sources))

    @classmethod
    def decode(cls, record: bytes) -> ServedPage | None:
        """The page of a record, None where another layout wrote it."""
        unpacked = unpack(record, _VERSION, _DTYPES)
        if unpacked is None:
            return None
        header, columns = unpacked
        return cls(
            header["request"],
            header["time"],
            header["user"],
            header["session"],
            header["model"],
            header["first"],
            tuple(header["sources"]),
            *columns,
        )
