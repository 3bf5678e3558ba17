"""Implicit ALS: item factors are kept, users are folded in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommender.bundle import BundleWriter
from recommender.config import BundleSettings, TrainSettings
from recommender.errors import InputError
from recommender.features.confidence import confidence
from recommender.features.recency import Recency, history_weights
from recommender.features.user_vector import factor_vector, regularised_gram
from recommender.retrieval.vectors import build_index
from recommender.types import DAY_MS, History, Scores
from training.dataset import Dataset
from training.models.parameters import recency_parameters
from training.models.shapes import AlsShape

_QUERIES = 500


class AlsModel:
    """Item factors by alternating least squares.

    Source: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008; the solver is the
    `implicit` library's.
    """

    name = "als"
    #: Whether to keep the fitted factors of actors too; serving needs none of them.
    keeps_actors = False

    def __init__(
        self,
        settings: TrainSettings,
        bundle: BundleSettings,
        recency: Recency,
        shape: AlsShape,
        advance: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.recency = recency
        self.shape = shape
        self._settings = settings
        self._bundle = bundle
        self._advance = advance

    def fit(self, dataset: Dataset) -> None:
        """Factor the matrix of confidences and build the index over the item factors.

        Raises:
            InputError: The factors are not finite.
        """
        settings = self._settings
        matrix = interaction_matrix(dataset, settings.half_life * 1_000 / DAY_MS)
        matrix.data = confidence(matrix.data, self.shape.alpha)
        # The library warns of BLAS threads when it is made, and is several times slower with them.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.shape.factors,
                regularization=self.shape.regularization,
                alpha=1.0,
                iterations=settings.als_iterations,
                random_state=settings.seed,
                num_threads=settings.threads,
            )
            model.fit_callback = lambda *_: self._advance(1.0 / settings.als_iterations)
            model.fit(matrix.astype(np.float32), show_progress=False)
        self.factors = np.ascontiguousarray(model.item_factors, np.float32)
        self._actor_factors = np.array(model.user_factors, np.float32) if self.keeps_actors else None
        if not np.isfinite(self.factors).all():
            raise InputError(
                "ALS did not converge: its factors are not finite; "
                "raise regularization of train.shapes.als, or lower its alpha"
            )
        self._gram = (self.factors.T @ self.factors).astype(np.float32)
        self._regularised = regularised_gram(self._gram, self.shape.regularization)
        self._type_weights = dataset.event_weights
        self._built = build_index(
            self.factors,
            self._user_vectors(dataset),
            exact_below=self._bundle.exact_below_items,
            min_recall=self._bundle.min_index_recall,
            seed=settings.seed,
        )

    def user_vector(self, history: History, now_ms: int) -> Scores:
        """The user folded in, float32 [dim]; zeros without evidence."""
        items, weights = history_weights(history, self._type_weights, now_ms, self.recency)
        return factor_vector(self._regularised, self.factors, self.shape.alpha, items, weights)

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Products with all item factors."""
        return self.factors @ self.user_vector(history, now_ms)

    def score_stored(self, actor: int) -> Scores:
        """Products with the actor's own factors as they were fitted; only where `keeps_actors` is set."""
        assert self._actor_factors is not None  # noqa: S101  # asked of a model that was told to keep them
        scores: Scores = self.factors @ self._actor_factors[actor]
        return scores

    def parameters(self) -> dict[str, Any]:
        """Recency, the fold-in's constants, and the index with its measured recall."""
        return {
            **recency_parameters(self.recency),
            **asdict(self.shape),
            "probes": self._built.index.probes,
            "index": self._built.kind,
            "index_recall@100": self._built.recall,
        }

    def write(self, writer: BundleWriter) -> None:
        """Write factors, their Gram matrix and the index."""
        writer.array("als/factors", self.factors)
        writer.array("als/gram", self._gram)
        writer.vectors("als", self._built.index)

    def _user_vectors(self, dataset: Dataset) -> Scores:
        """Folded-in vectors of a seeded sample of actors: the queries that recall is measured on."""
        rng = np.random.default_rng(self._settings.seed)
        actors = rng.permutation(dataset.n_actors)[:_QUERIES]
        vectors = [self.user_vector(dataset.history(int(actor), 1_000), dataset.now_ms) for actor in actors]
        return np.array([vector for vector in vectors if vector.any()], np.float32).reshape(-1, self.factors.shape[1])


def interaction_matrix(dataset: Dataset, half_life_days: float) -> sp.csr_matrix:
    """Actors by items, float64 CSR [n_actors, n_items]: summed event weights, halved every `half_life_days` of age."""
    weights = dataset.weights().astype(np.float64)
    if dataset.timed:
        age_days = np.maximum(dataset.now_ms - dataset.times_ms, 0) / DAY_MS
        weights = weights * 2.0 ** (-age_days / half_life_days)
    shape = (dataset.n_actors, dataset.n_items)
    matrix = sp.coo_matrix((weights, (dataset.actors(), dataset.items)), shape=shape).tocsr()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
