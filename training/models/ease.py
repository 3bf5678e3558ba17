"""EASE: the item-to-item weights that reconstruct every history best, in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from recommender.features.recency import Recency
from recommender.types import Scores
from training.models.listed import BLOCK, ListedModel
from training.models.shapes import EaseShape


class EaseModel(ListedModel):
    """B = I - P diag(P)^-1 with P = (X'X + reg I)^-1, over the items of most owners.

    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    name = "ease"
    # The inverse is cubic in the items.
    head = 8_000

    def __init__(self, recency: Recency, neighbours: int, shape: EaseShape) -> None:
        super().__init__(recency, neighbours)
        self.shape = shape

    def blocks(self, matrix: sp.csr_matrix) -> Iterator[Scores]:
        """Rows of B, block by block."""
        gram = (matrix.T @ matrix).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.shape.regularization
        factor = scipy.linalg.cho_factor(gram, overwrite_a=True, check_finite=False)
        inverse = scipy.linalg.cho_solve(factor, np.eye(len(gram)), overwrite_b=True, check_finite=False)
        for start in range(0, len(gram), BLOCK):
            yield (-inverse[start : start + BLOCK] / np.diag(inverse)[None, :]).astype(np.float32)

    def parameters(self) -> dict[str, Any]:
        """Recency and shape."""
        return {**super().parameters(), **asdict(self.shape)}
