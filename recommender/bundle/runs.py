"""What a training run said of its version: durations and the gate's verdict, kept beside the byte-identical bundles."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

RUNS_NAME: Final = "runs"
LATEST_NAME: Final = "run.json"


class GateVerdict(BaseModel):
    """How the promotion gate found a version beside the one that was live.

    `live` names the version that it was compared with; `lower` and `upper` are the 95 % interval of the difference in
    NDCG@20 over `users` users. Refused is a version that even the upper end finds worse.
    """

    model_config = ConfigDict(frozen=True)

    live: str
    users: int
    new_ndcg: float
    live_ndcg: float
    difference: float
    lower: float
    upper: float
    refused: bool

    def sentence(self) -> str:
        """The verdict in one sentence."""
        return (
            f"the gate compared {self.users} users of the newest days: NDCG@20 {self.new_ndcg:.4f} against "
            f"{self.live_ndcg:.4f} live, difference {self.difference:+.4f} [{self.lower:+.4f}, {self.upper:+.4f}]"
        )


class TrainingRun(BaseModel):
    """The latest run that made a version.

    `gate` is null where nothing was compared: no version was live, or the gate was off. `seconds` is by stage.
    `asked` is the hash of the configuration that it was asked with, before anything was chosen.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    published: bool
    gate: GateVerdict | None
    seconds: dict[str, float] = {}
    asked: str = ""


def write_run(models: Path, run: dict[str, Any]) -> None:
    """Keep a run under its version's name, and as the latest.

    Args:
        models: Folder of the versions.
        run: The fields of `TrainingRun`, and whatever else is worth keeping.
    """
    text = json.dumps(run, indent=1, sort_keys=True) + "\n"
    (models / RUNS_NAME).mkdir(exist_ok=True)
    for path in (models / RUNS_NAME / f"{run['version']}.json", models / LATEST_NAME):
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(text, encoding="utf-8")
        aside.rename(path)


def read_runs(models: Path) -> dict[str, TrainingRun]:
    """Kept runs by version; what cannot be read says nothing and is left out."""
    found: dict[str, TrainingRun] = {}
    for path in sorted((models / RUNS_NAME).glob("[!.]*.json")):
        try:
            run = TrainingRun.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if run.version == path.stem:
            found[run.version] = run
    return found


def remove_old_runs(models: Path, versions: Collection[str], keep: int) -> None:
    """Remove the runs of versions that are not there, but for the newest `keep`: refusals stay known for a while."""
    gone = [path for path in sorted((models / RUNS_NAME).glob("[!.]*.json")) if path.stem not in versions]
    for path in gone[: max(len(gone) - keep, 0)]:
        path.unlink(missing_ok=True)
