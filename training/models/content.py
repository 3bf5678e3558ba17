"""Content vectors: what an item is, for items that nobody has touched yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from recommender.bundle import BundleWriter
from recommender.config import BundleSettings, TrainSettings
from recommender.encoders.text import N_BUCKETS, brand_buckets, category_buckets, title_buckets, weighted_terms
from recommender.features.recency import Recency, history_weights
from recommender.features.user_vector import mean_direction
from recommender.retrieval.vectors import build_index
from recommender.types import History, Scores
from training.catalogue import Catalogue
from training.dataset import Dataset
from training.models.parameters import recency_parameters

_QUERIES = 500


class ContentModel:
    """tf-idf of category, brand and title, projected by a truncated SVD.

    Source: Deerwester et al., "Indexing by latent semantic analysis", 1990; Halko, Martinsson, Tropp, "Finding
    structure with randomness", 2011 (the solver, scikit-learn's).
    """

    name = "content"

    def __init__(self, settings: TrainSettings, bundle: BundleSettings, recency: Recency) -> None:
        self.recency = recency
        self._settings = settings
        self._bundle = bundle

    def fit(self, dataset: Dataset) -> None:
        """Count terms, learn the projection, encode every item."""
        self.idf = inverse_document_frequencies(dataset.catalogue)
        matrix = term_matrix(dataset.catalogue, self.idf)
        dim = min(self._settings.content_dim, min(matrix.shape) - 1)
        _, _, components = randomized_svd(matrix, n_components=dim, random_state=self._settings.seed)
        self.basis = np.ascontiguousarray(components.T, np.float32)
        # What no item has, the solver leaves at its rounding noise: a new item's unknown words must say nothing.
        self.basis[np.bincount(matrix.indices, minlength=N_BUCKETS) == 0] = 0.0
        vectors = (matrix @ self.basis).astype(np.float32)
        self.vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        self._type_weights = dataset.event_weights
        self._built = build_index(
            self.vectors,
            self._directions(dataset),
            exact_below=self._bundle.exact_below_items,
            min_recall=self._bundle.min_index_recall,
            seed=self._settings.seed,
        )

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Products with the weighted sum of the history's vectors."""
        items, weights = history_weights(history, self._type_weights, now_ms, self.recency)
        scores: Scores = self.vectors @ mean_direction(self.vectors, items, weights)
        return scores

    def parameters(self) -> dict[str, Any]:
        """Recency, and the index with its measured recall."""
        return {
            **recency_parameters(self.recency),
            "probes": self._built.index.probes,
            "index": self._built.kind,
            "index_recall@100": self._built.recall,
        }

    def write(self, writer: BundleWriter) -> None:
        """Write vectors, index, and the encoder for items to come."""
        writer.array("content/vectors", self.vectors)
        writer.array("content/idf", self.idf)
        writer.array("content/basis", self.basis)
        writer.vectors("content", self._built.index)

    def _directions(self, dataset: Dataset) -> Scores:
        """What a seeded sample of actors asks for, float32 [n, dim]: the queries that recall is measured on."""
        rng = np.random.default_rng(self._settings.seed)
        found = []
        for actor in rng.permutation(dataset.n_actors)[:_QUERIES].tolist():
            history = dataset.history(actor, 1_000)
            direction = mean_direction(
                self.vectors, *history_weights(history, self._type_weights, dataset.now_ms, self.recency)
            )
            if direction.any():
                found.append(direction)
        return np.array(found, np.float32).reshape(-1, self.vectors.shape[1])


def has_content(catalogue: Catalogue) -> bool:
    """Whether any item has a category, brand or title."""
    return any((column != "").any() for column in (catalogue.categories, catalogue.brands, catalogue.titles))


def inverse_document_frequencies(catalogue: Catalogue) -> Scores:
    """float32 [N_BUCKETS]: log((1 + n) / (1 + df)) + 1, df counted per field and item."""
    frequency = np.zeros(N_BUCKETS, np.int64)
    fields = (
        (category_buckets, catalogue.categories),
        (brand_buckets, catalogue.brands),
        (title_buckets, catalogue.titles),
    )
    for buckets_of, column in fields:
        values, counts = np.unique(column.astype(str), return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value:
                frequency[np.unique(buckets_of(value))] += count
    idf: Scores = (np.log((1.0 + len(catalogue)) / (1.0 + frequency)) + 1.0).astype(np.float32)
    return idf


def term_matrix(catalogue: Catalogue, idf: Scores) -> sp.csr_matrix:
    """float32 CSR [n_items, N_BUCKETS] of weighted terms."""
    known: dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]] = {}
    columns = zip(catalogue.categories.tolist(), catalogue.brands.tolist(), catalogue.titles.tolist(), strict=True)
    parts = []
    for key in columns:
        if key not in known:
            known[key] = weighted_terms(idf, *key)
        parts.append(known[key])
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])])
    buckets = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    return sp.csr_matrix((values, buckets, offsets), shape=(len(catalogue), N_BUCKETS))
