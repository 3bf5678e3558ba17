"""Where tables are printed."""

from __future__ import annotations

from typing import Final

from rich.console import Console

_PIPE_WIDTH: Final = 180


def console() -> Console:
    """The terminal as wide as it is; a pipe wide enough for every table."""
    found = Console()
    return found if found.is_terminal else Console(width=_PIPE_WIDTH)
