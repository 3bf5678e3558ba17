from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recommender.bundle import Bundle, open_bundle
from tests.feed.rankers.weights import with_logistic_ranker


@pytest.fixture(scope="session")
def learned(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle with a learned ranker."""
    folder: Path = tmp_path_factory.mktemp("learned") / bundle.version
    shutil.copytree(bundle.folder, folder)
    return with_logistic_ranker(open_bundle(folder))
