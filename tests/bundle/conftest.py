from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recommender.bundle import Bundle, open_bundle
from tests.worlds import write_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A tiny bundle that no test changes."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny-1")


@pytest.fixture
def copied(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy of it, to be damaged."""
    return open_bundle(Path(shutil.copytree(bundle.folder, tmp_path / "tiny-1")))
