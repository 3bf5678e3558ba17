"""Measuring candidates on the window that a search looks at."""

from __future__ import annotations

from recommender.config import Settings
from training.models.lineup import fit_model
from training.models.protocol import FadingModel
from training.models.shapes import Shape
from training.ranking.choose import model_ndcg
from training.ranking.replay import Replay
from training.search.climb import Candidate
from training.search.record import Trial

_USERS = 1_500
#: Models that are kept of each source: the one to beat, and the last one.
_KEPT = 2


class Fits:
    """Models of the window, fitted when first asked for: a recency costs no fit.

    Args:
        settings: Of the models.
        replay: The window's users.
    """

    def __init__(self, settings: Settings, replay: Replay) -> None:
        self._settings, self._replay = settings, replay
        self._models: dict[tuple[str, Shape | None], FadingModel] = {}

    def lacks(self, name: str, candidate: Candidate) -> bool:
        """Whether a fit is needed."""
        return (name, candidate.shape) not in self._models

    def measured(self, name: str, candidate: Candidate) -> Trial:
        """NDCG@20 of a source alone over all items."""
        lacking = self.lacks(name, candidate)
        model = self._fit(name, candidate) if lacking else self._models.pop((name, candidate.shape))
        self._models[name, candidate.shape] = model
        for old in [key for key in self._models if key[0] == name][:-_KEPT]:
            del self._models[old]
        model.recency = candidate.recency
        found = model_ndcg(model, self._replay, _USERS)
        return Trial(name, candidate.choice(), found.tolist(), 0.0, lacking)

    def _fit(self, name: str, candidate: Candidate) -> FadingModel:
        return fit_model(name, self._replay.dataset, self._settings, candidate.recency, candidate.shape)
