"""The promotion gate: the new bundle against the live one, on newest days that neither has seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.types import History, Rows
from recommender.wiring import build_pipeline
from training.ranking.choose import ndcg_of
from training.ranking.replay import Case, Replay

_USERS = 2_000
_K = 20


@dataclass(frozen=True)
class Verdict:
    """NDCG@20 of both, and the paired difference with its 95 % interval."""

    live: str
    users: int
    new_ndcg: float
    live_ndcg: float
    difference: float
    lower: float
    upper: float

    @property
    def refused(self) -> bool:
        """Whether even the interval's upper end says that the new bundle is worse."""
        return self.upper < 0.0

    def sentence(self) -> str:
        """The verdict in one sentence."""
        return (
            f"the gate compared {self.users} users of the newest days: NDCG@20 {self.new_ndcg:.4f} against "
            f"{self.live_ndcg:.4f} live, difference {self.difference:+.4f} [{self.lower:+.4f}, {self.upper:+.4f}]"
        )

    def as_json(self) -> dict[str, Any]:
        """All fields and the decision."""
        return {**asdict(self), "refused": self.refused}


def compare(new: Bundle, live: Bundle, replay: Replay, settings: Settings) -> Verdict:
    """Both bundles on the same users, with the same histories and the same targets, by item id.

    Args:
        new: Fitted on the replay's dataset.
        live: Never saw what came after it either; an item that it lacks counts as a miss.
        replay: The newest days.
        settings: Of the feed and the bootstrap.
    """
    own = _ndcg(new, replay.cases(_USERS), settings)
    other = _ndcg(live, _translated(replay, live), settings)
    difference = own - other
    rng = np.random.default_rng(settings.evaluate.seed)
    means = np.array(
        [
            difference[rng.integers(0, len(difference), len(difference))].mean()
            for _ in range(settings.evaluate.resamples)
        ]
    )
    lower, upper = np.percentile(means, [2.5, 97.5])
    return Verdict(
        live.version, len(own), float(own.mean()), float(other.mean()), float(difference.mean()),
        float(lower), float(upper),
    )  # fmt: skip


def _ndcg(bundle: Bundle, cases: Iterator[Case], settings: Settings) -> npt.NDArray[np.float64]:
    pipeline = build_pipeline(bundle, settings)
    return np.array([ndcg_of(pipeline.run(case.query, _K)[0].rows, case.targets) for case in cases])


def _translated(replay: Replay, bundle: Bundle) -> Iterator[Case]:
    """The cases in another bundle's rows."""
    row_of = bundle.items.rows_of(replay.dataset.item_ids)
    codes = np.array([bundle.event_type_codes.get(name, 255) for name in replay.dataset.event_types], np.uint8)
    for case in replay.cases(_USERS):
        history = case.query.history
        rows = row_of[history.item_rows]
        known = rows >= 0
        query = replace(
            case.query,
            history=History(rows[known], codes[history.event_types[known]], history.times_ms[known]),
            hidden_rows=_known(row_of[case.query.hidden_rows]),
        )
        yield Case(case.user, query, np.where(case.targets >= 0, row_of[case.targets], -1).astype(np.int32))


def _known(rows: Rows) -> Rows:
    return rows[rows >= 0]
