from __future__ import annotations

import inspect
import re

import grpc
import pytest

from recommender import components, wiring
from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2, models_pb2, privacy_pb2
from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.feed.catalogue import Catalogue
from recommender.service import intake, server
from recommender.service.measures import (
    CODES,
    COMPONENTS,
    DEGRADATIONS,
    MEASURES,
    METHODS,
    PLACES,
    REJECTIONS,
    ROW_WORDS,
)
from recommender.types import Degradation
from tests.worlds import write_tiny_bundle

DESCRIPTORS = {
    service.full_name: service
    for file in (catalog_pb2, events_pb2, feed_pb2, models_pb2, privacy_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("measures") / "v1")


def names_of(stage: str) -> set[str]:
    return {name for each, name in COMPONENTS if each == stage}


def test_every_series_has_words_of_its_own_within_the_row() -> None:
    taken = [
        word
        for measure in MEASURES
        for child in measure.children
        for word in range(PLACES[measure.name, *child], PLACES[measure.name, *child] + measure.width)
    ]
    assert len(taken) == len(set(taken)) <= ROW_WORDS
    assert min(taken) == 0
    assert max(taken) < ROW_WORDS
    assert ROW_WORDS % 8 == 0


def test_every_method_code_degradation_and_reason_is_counted_under_its_own_name() -> None:
    served = {method.name for service in server.SERVICES for method in DESCRIPTORS[service].methods}
    assert served <= set(METHODS)
    assert {code.name for code in grpc.StatusCode} == set(CODES)
    assert {degradation.name for degradation in Degradation} <= set(DEGRADATIONS)
    told = set(re.findall(r'Problem\("([A-Z0-9_]+)"', inspect.getsource(intake)))
    assert len(told) >= 4
    assert told <= set(REJECTIONS)


def test_every_component_of_the_wiring_is_counted_under_its_own_name(bundle: Bundle) -> None:
    assert set(components._SOURCES) <= names_of("source")
    assert set(components._RANKERS) <= names_of("rank")
    assert {each.name for each in wiring._filters(Catalogue(bundle), Settings())} <= names_of("filter")
    assert wiring.build_pipeline(bundle, Settings()).reranker.name in names_of("rerank")
