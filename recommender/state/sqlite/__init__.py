"""State embedded in one folder of one host; see ../README.md."""

from __future__ import annotations

from recommender.state.sqlite.backup import back_up
from recommender.state.sqlite.embedded import SqliteState, kept, open_state, pending_upgrade
from recommender.state.sqlite.restoring import restore
from recommender.state.sqlite.segments import SegmentLimits
from recommender.state.sqlite.signing import rotate_state_keys

__all__ = [
    "SegmentLimits",
    "SqliteState",
    "back_up",
    "kept",
    "open_state",
    "pending_upgrade",
    "restore",
    "rotate_state_keys",
]
