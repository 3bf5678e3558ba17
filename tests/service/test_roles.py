from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import recommender.api.v1
from recommender.service.roles import OPEN, ROLES, Role
from recommender.service.server import SERVICES

V1 = "/recommender.api.v1."


def services() -> Iterator[ServiceDescriptor]:
    """Every service that there is: ours, health and reflection."""
    generated = [
        importlib.import_module(f"recommender.api.v1.{found.name}")
        for found in pkgutil.iter_modules(recommender.api.v1.__path__)
        if found.name.endswith("_pb2")
    ]
    for module in (*generated, health_pb2, reflection_pb2):
        yield from module.DESCRIPTOR.services_by_name.values()


METHODS = [f"/{service.full_name}/{method.name}" for service in services() for method in service.methods]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_line_in_the_table_of_roles(method: str) -> None:
    assert (method in ROLES) != (method in OPEN), f"say in recommender/service/roles.py who may call {method}"
    assert method in OPEN or Role.ADMIN in ROLES[method]


def test_the_table_lists_nothing_that_there_is_not() -> None:
    assert ROLES.keys() | OPEN == set(METHODS)
    assert {method.split("/")[1] for method in ROLES if method.startswith(V1)} == set(SERVICES)


def test_only_health_is_open_to_strangers() -> None:
    assert {method.split("/")[1] for method in OPEN} == {"grpc.health.v1.Health"}


def test_each_role_may_what_its_work_needs() -> None:
    may = {role: {method.removeprefix(V1) for method, roles in ROLES.items() if role in roles} for role in Role}
    assert may[Role.ADMIN] == {method.removeprefix(V1) for method in ROLES}
    assert {"FeedService/GetFeed", "EventService/RecordEvents", "CatalogService/GetItem"} <= may[Role.FRONTEND]
    assert "FeedService/ExplainItem" not in may[Role.FRONTEND]
    assert {name for name in may[Role.FRONTEND] if name.startswith("CatalogService")} == {"CatalogService/GetItem"}
    ours = {name for name in may[Role.CATALOG] if not name.startswith("/")}
    assert ours == {name for name in may[Role.ADMIN] if name.startswith("CatalogService")}
