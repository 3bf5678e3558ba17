"""A tiny bundle whose ranker has learned something: seeded weights of every input."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle, BundleWriter, open_bundle
from recommender.features.ranker_inputs import input_names

INTERCEPT = -3.25


def with_logistic_ranker(bundle: Bundle, n_inputs: int | None = None) -> Bundle:
    """The same bundle, in its folder, ranked by a logistic regression over `n_inputs` inputs, all by default."""
    n = len(input_names(tuple(bundle.manifest.sources))) if n_inputs is None else n_inputs
    rng = np.random.default_rng(17)
    writer = BundleWriter(bundle.folder)
    writer.array("ranker/means", rng.normal(size=n).astype(np.float32))
    writer.array("ranker/scales", (0.5 + rng.random(n)).astype(np.float32))
    writer.array("ranker/coefficients", rng.normal(size=n).astype(np.float32))
    writer.finish(bundle.manifest.model_copy(update={"ranker": {"name": "logistic", "intercept": INTERCEPT}}))
    return open_bundle(bundle.folder)
