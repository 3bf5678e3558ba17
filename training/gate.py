"""The promotion gate: the new bundle against the live one, on newest days that neither has seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle
from recommender.bundle.runs import GateVerdict
from recommender.config import Settings
from recommender.wiring import build_pipeline
from training.ranking.choose import ndcg_of
from training.ranking.replay import Case, Replay, translated_cases

_USERS = 2_000
_K = 20


def compare(new: Bundle, live: Bundle, replay: Replay, settings: Settings) -> GateVerdict:
    """Both bundles on the same users, with the same histories and the same targets, by item id.

    Args:
        new: Fitted on the replay's dataset.
        live: Never saw what came after it either; an item that it lacks counts as a miss. Its folder bears the name of
            the live version.
        replay: The newest days.
        settings: Of the feed and the bootstrap.
    """
    own = _ndcg(new, replay.cases(_USERS), settings)
    other = _ndcg(live, translated_cases(replay, live, _USERS), settings)
    difference = own - other
    rng = np.random.default_rng(settings.evaluate.seed)
    means = np.array(
        [
            difference[rng.integers(0, len(difference), len(difference))].mean()
            for _ in range(settings.evaluate.resamples)
        ]
    )
    lower, upper = np.percentile(means, [2.5, 97.5])
    return GateVerdict(
        live=live.folder.name,  # where it is a twin, the version that it stands for
        users=len(own),
        new_ndcg=float(own.mean()),
        live_ndcg=float(other.mean()),
        difference=float(difference.mean()),
        lower=float(lower),
        upper=float(upper),
        refused=bool(upper < 0.0),
    )


def _ndcg(bundle: Bundle, cases: Iterator[Case], settings: Settings) -> npt.NDArray[np.float64]:
    pipeline = build_pipeline(bundle, settings)
    return np.array([ndcg_of(pipeline.run(case.query, _K)[0].rows, case.targets) for case in cases])
