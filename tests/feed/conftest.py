from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.service.warming import warm_up
from tests.feed.shops import Shop
from tests.worlds import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    written = write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny-1")
    # The first feed of a process compiles kernels, which takes longer than a request may: sources would be left out.
    warm_up(written, Settings())
    return written


@pytest.fixture
def shop(bundle: Bundle, tmp_path: Path) -> Iterator[Shop]:
    opened = Shop.open(bundle, tmp_path / "state")
    yield opened
    opened.state.close()
