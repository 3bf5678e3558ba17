from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.bundle import Bundle
from tests.feed.shops import Shop
from tests.worlds import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny-1")


@pytest.fixture
def shop(bundle: Bundle, tmp_path: Path) -> Iterator[Shop]:
    opened = Shop.open(bundle, tmp_path / "state")
    yield opened
    opened.state.close()
