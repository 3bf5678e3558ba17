"""What a worker process has to know; apart from the worker, so that its supervisor loads nothing of what serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recommender.config import Settings
from recommender.service.credentials import Credentials


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """All that a worker has to know.

    Args:
        bundle: Folder of a bundle that was verified.
        state: Folder of the state, which exists.
        address: Where to listen, shared with the other workers.
        number: Of this worker, from 0; a worker that replaces a dead one takes over its number.
        settings: Of the whole server.
        credentials: The same for every worker.
        signing_keys: Likewise, also once a key was added since the server started.
    """

    bundle: Path
    state: Path
    address: str
    number: int
    settings: Settings
    credentials: Credentials
    signing_keys: tuple[bytes, ...] = field(repr=False)
