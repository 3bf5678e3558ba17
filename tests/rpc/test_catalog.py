"""GetItem, health and reflection."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recommender.api.v1 import catalog_pb2, feed_pb2
from tests.rpc.conftest import Client, refusal_of
from tests.worlds import tiny_items

SERVICES = {f"recommender.api.v1.{name}" for name in ("FeedService", "EventService", "CatalogService")}


def test_an_item_is_told_with_all_that_is_known(client: Client) -> None:
    wanted = next(item for item in tiny_items() if item.title == "novel")
    item = client.catalog.GetItem(catalog_pb2.GetItemRequest(item_id=wanted.item_id), timeout=30).item
    assert item.kind == feed_pb2.KIND_POST
    for field in (
        "item_id",
        "title",
        "description",
        "category",
        "brand",
        "seller_id",
        "price",
        "currency",
        "image_url",
    ):
        assert getattr(item, field) == getattr(wanted, field)
    assert item.create_time.ToMilliseconds() == wanted.created_ms
    assert dict(item.attributes) == wanted.attributes
    assert item.available
    assert not item.HasField("expire_time")


@pytest.mark.parametrize(
    ("item_id", "code", "reason"),
    [
        ("no-such-item", grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, "ITEM_ID_REQUIRED"),
        ("x" * 300, grpc.StatusCode.INVALID_ARGUMENT, "ID_TOO_LONG"),
    ],
)
def test_an_item_that_cannot_be_told_has_a_reason(
    client: Client, item_id: str, code: grpc.StatusCode, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.catalog.GetItem(catalog_pb2.GetItemRequest(item_id=item_id), timeout=30)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (code, reason)


@pytest.mark.parametrize("service", ["", *sorted(SERVICES)])
def test_every_service_is_healthy(client: Client, service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    reply = health_pb2_grpc.HealthStub(client.channel).Check(request, timeout=30)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services_and_describes_them(client: Client) -> None:
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="recommender.api.v1.FeedService"),
    ]
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    listed, described = stub.ServerReflectionInfo(iter(requests), timeout=30)
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    files = [FileDescriptorProto.FromString(data) for data in described.file_descriptor_response.file_descriptor_proto]
    assert "recommender/api/v1/feed.proto" in [file.name for file in files]


def test_an_unknown_method_is_unimplemented(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary("/recommender.api.v1.FeedService/GetEverything", None, None)(b"", timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
