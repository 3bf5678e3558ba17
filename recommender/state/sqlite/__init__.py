"""State embedded in one folder of one host; see ../README.md."""

from __future__ import annotations

from recommender.state.sqlite.embedded import SqliteState, open_state, pending_upgrade
from recommender.state.sqlite.segments import SegmentLimits

__all__ = ["SegmentLimits", "SqliteState", "open_state", "pending_upgrade"]
