"""A user's vector from a history, without a stored user."""

from __future__ import annotations

import numpy as np
from numba import njit

from recommender.types import Scores


@njit(nogil=True, cache=True, fastmath=True)
def fold_in(gram: Scores, factors: Scores, confidences: Scores, steps: int) -> Scores:
    """Solve (G + F' (C - I) F) x = F' c by conjugate gradients: the user's half-step of implicit ALS.

    Args:
        gram: float32 [dim, dim], G = V'V + regularisation * I over all items.
        factors: float32 [m, dim], F, the factors of the history's items.
        confidences: float32 [m], c >= 1.
        steps: Conjugate gradient steps at most.

    Returns:
        float32 [dim]; zeros for an empty history.

    Cost: O(steps * (dim^2 + m * dim)).

    Source: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008; Takács, Pilászy,
    Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative filtering", RecSys 2011.
    """
    dim = gram.shape[0]
    x = np.zeros(dim, np.float32)
    residual = np.zeros(dim, np.float32)
    for row in range(len(confidences)):
        residual += confidences[row] * factors[row]
    direction = residual.copy()
    squared = (residual * residual).sum()
    first = squared
    for _ in range(steps):
        if squared <= 1e-10 * first or squared == 0.0:
            break
        product = np.zeros(dim, np.float32)
        for row in range(dim):
            total = np.float32(0.0)
            for column in range(dim):
                total += gram[row, column] * direction[column]
            product[row] = total
        for row in range(len(confidences)):
            total = np.float32(0.0)
            for column in range(dim):
                total += factors[row, column] * direction[column]
            product += (confidences[row] - np.float32(1.0)) * total * factors[row]
        curvature = np.float32(0.0)
        for column in range(dim):
            curvature += direction[column] * product[column]
        step = squared / curvature
        x += step * direction
        residual -= step * product
        following = np.float32(0.0)
        for column in range(dim):
            following += residual[column] * residual[column]
        direction = residual + (following / squared) * direction
        squared = following
    return x
