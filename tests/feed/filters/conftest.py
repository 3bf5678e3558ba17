from __future__ import annotations

import pytest

from recommender.bundle import Bundle
from recommender.feed.catalogue import Catalogue


@pytest.fixture
def catalogue(bundle: Bundle) -> Catalogue:
    return Catalogue(bundle)
