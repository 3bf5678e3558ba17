"""GF-CF: a filter over the graph of users and items, which keeps what is smooth on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from recommender.features.recency import Recency
from recommender.types import Scores
from training.models.listed import BLOCK, ListedModel
from training.models.shapes import GfcfShape

_SEED = 42


class GfcfModel(ListedModel):
    """One step over the normalised graph, and an ideal low-pass of its leading singular vectors.

    With R~ = D_u^-1/2 R D_i^-b and V its leading right singular vectors, an item i says of j
    (R~'R~)_ij + alpha d_i^-b (VV')_ij d_j^b.

    Source: Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021; b is 1/2 there.
    """

    name = "gfcf"
    head = 42_000
    # What is smooth around an item shows where several people have it; beyond, only the cost grows, with its square.
    least_owners = 5

    def __init__(self, recency: Recency, neighbours: int, shape: GfcfShape) -> None:
        super().__init__(recency, neighbours)
        self.shape = shape

    def blocks(self, matrix: sp.csr_matrix) -> Iterator[Scores]:
        """Rows of the matrix, block by block."""
        owners = np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1.0)
        of_user = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1.0) ** -0.5
        of_item = owners**-self.shape.norm
        normal = (sp.diags_array(of_user) @ matrix @ sp.diags_array(of_item)).tocsr().astype(np.float32)
        n_items = normal.shape[1]
        dim = max(min(self.shape.dim, *(side - 1 for side in normal.shape)), 0)
        vectors = np.zeros((n_items, 1), np.float32)
        if dim:
            vectors = randomized_svd(normal, dim, n_iter=4, random_state=_SEED)[2].T.astype(np.float32)
        left = np.ascontiguousarray(self.shape.alpha * vectors * of_item[:, None], np.float32)
        right = np.ascontiguousarray((vectors / of_item[:, None]).T, np.float32)
        columns = normal.T.tocsr()
        for start in range(0, n_items, BLOCK):
            block = (columns[start : start + BLOCK] @ normal).toarray()
            yield block + left[start : start + BLOCK] @ right

    def parameters(self) -> dict[str, Any]:
        """Recency and shape."""
        return {**super().parameters(), **asdict(self.shape)}
