"""What has been tried, kept line by line, so that nothing is tried twice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Trial:
    """One choice, measured.

    Args:
        part: What was chosen for: a source's name, or `sources`.
        choice: What was chosen.
        ndcg: NDCG@20 of each user, the same users in the same order for all trials of a part.
        seconds: How long it took.
        fitted: Whether anything was fitted for it.
        told: What else was seen.
    """

    part: str
    choice: dict[str, Any]
    ndcg: list[float]
    seconds: float
    fitted: bool
    told: dict[str, float] = field(default_factory=dict)

    def half(self, other: int) -> npt.NDArray[np.float64]:
        """NDCG@20 of every second user: 0 for those that a search goes by, 1 for those that have to agree."""
        return np.array(self.ndcg[other::2])


class TrialRecord:
    """Trials in a file of JSON lines, each on the disk before the next one begins.

    Args:
        path: Made if missing. A last line that a kill left half-written goes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(path, len(whole))
        self.trials = [Trial(**json.loads(line)) for line in whole.splitlines()]

    def find(self, part: str, choice: dict[str, Any]) -> Trial | None:
        """The trial of a choice, if there was one."""
        return next((trial for trial in self.trials if trial.part == part and trial.choice == choice), None)

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.trials.append(trial)
