"""The gRPC server of one worker: which method is answered by what, and on which threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2, models_pb2, privacy_pb2
from recommender.config import ServerSettings
from recommender.errors import ConfigurationError
from recommender.service.access import Gate
from recommender.service.admission import Admission
from recommender.service.arrivals import Arrivals, Sweeper
from recommender.service.bounded_pool import BoundedPool
from recommender.service.catalog_servicer import CatalogServicer
from recommender.service.event_servicer import EventServicer
from recommender.service.feed_servicer import FeedServicer, Live
from recommender.service.health import Health, health_handler
from recommender.service.intake import EventIntake
from recommender.service.item_intake import ItemIntake
from recommender.service.meter import Meter
from recommender.service.model_servicer import ModelServicer
from recommender.service.privacy_servicer import PrivacyServicer
from recommender.service.reflection import reflection_handler
from recommender.service.refusals import ClientStream, Refusals, Unary
from recommender.service.tls import ServerTls

FEED_SERVICE: Final = feed_pb2.DESCRIPTOR.services_by_name["FeedService"].full_name
EVENT_SERVICE: Final = events_pb2.DESCRIPTOR.services_by_name["EventService"].full_name
CATALOG_SERVICE: Final = catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name
MODEL_SERVICE: Final = models_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
PRIVACY_SERVICE: Final = privacy_pb2.DESCRIPTOR.services_by_name["PrivacyService"].full_name
SERVICES: Final = (FEED_SERVICE, EVENT_SERVICE, CATALOG_SERVICE, MODEL_SERVICE, PRIVACY_SERVICE)

# Threads that wait for the disk: they cost memory, not CPU.
_WAITING_THREADS: Final = 16
_STREAM_THREADS: Final = 16
#: As many streams again may wait for one of those to end.
_STREAMS: Final = 2 * _STREAM_THREADS
_OPERATOR_THREADS: Final = 2
#: Operators that may wait for each other.
_OPERATORS: Final = 16
# gRPC asks a peer of whom nothing was heard so long whether it is still there, and hangs up if no answer comes.
_KEEPALIVE_MS: Final = 60_000
_KEEPALIVE_TIMEOUT_MS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Pools:
    """Threads by what they do, so that a feed never waits behind a disk; and the calls that wait for their request."""

    feeds: Arrivals
    waiting: Arrivals
    streams: Arrivals
    operators: Arrivals


@dataclass(frozen=True, slots=True)
class Intakes:
    """Where what clients send goes."""

    events: EventIntake
    items: ItemIntake


@dataclass(frozen=True, slots=True)
class Operations:
    """What answers operators."""

    models: ModelServicer
    privacy: PrivacyServicer


class WorkerServer:
    """Feed, events, catalogue, models, persons' data, health and reflection on one port.

    Args:
        live: What is served.
        intakes: Where events and items go.
        operations: Answer operators.
        refusals: Guards every method.
        gate: Says who may call them.
        settings: Threads and limits.
        meter: Counts what the methods do.
    """

    def __init__(
        self,
        live: Live,
        intakes: Intakes,
        operations: Operations,
        refusals: Refusals,
        gate: Gate,
        settings: ServerSettings,
        meter: Meter,
    ) -> None:
        most = settings.max_concurrent_requests
        patience = (max(1, most // 2), settings.request_timeout, settings.stream_pause, meter)
        self._pools = pools = _Pools(
            Arrivals(BoundedPool(settings.threads, "feed", most, live.pages.deadline_ms / 1_000), *patience),
            Arrivals(BoundedPool(_WAITING_THREADS, "waiting", most), *patience),
            Arrivals(BoundedPool(_STREAM_THREADS, "stream", _STREAMS), *patience),
            Arrivals(BoundedPool(_OPERATOR_THREADS, "operator", _OPERATORS), *patience),
        )
        self._sweeper = Sweeper((pools.feeds, pools.waiting, pools.streams, pools.operators))
        self._server = grpc.server(
            pools.waiting.pool,
            interceptors=[Admission(pools.waiting.pool, meter), gate],
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
                ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
            ],
        )
        catalog = CatalogServicer(live, intakes.items, gate.caller)
        handlers = _handlers(live, intakes.events, catalog, refusals, pools, meter)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        self._health = Health(pools.waiting)
        handlers += (
            *_operator_handlers(operations, refusals, pools.operators),
            health_handler(self._health),
            reflection_handler(names, pools.waiting),
        )
        self._server.add_generic_rpc_handlers(tuple(handlers))

    def start(self, address: str, tls: ServerTls | None) -> None:
        """Bind and answer, in plain text without `tls`; every service is SERVING.

        Raises:
            ConfigurationError: The address cannot be bound.
        """
        for service in ("", *SERVICES):
            self._health.serve(service)
        try:
            if tls is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, _server_credentials(tls))
        except RuntimeError as error:
            raise ConfigurationError(f"cannot listen on {address}; choose another server.listen") from error
        self._server.start()
        self._sweeper.start()

    def drain(self, timeout_seconds: float) -> bool:
        """Say NOT_SERVING, take no new request, and wait for those under way; False where some were cut off."""
        self._health.drain()
        whole = self._server.stop(timeout_seconds).wait(timeout_seconds + 1.0)
        self._sweeper.end()
        return whole


def _server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    pair = (tls.pair.key, tls.pair.certificate)
    return grpc.ssl_server_credentials([pair], tls.client_ca, require_client_auth=tls.client_ca is not None)


def _handlers(
    live: Live, intake: EventIntake, catalog: CatalogServicer, refusals: Refusals, pools: _Pools, meter: Meter
) -> list[grpc.GenericRpcHandler[Any, Any]]:
    feed, events = FeedServicer(live, meter, pools.feeds.pool, refusals.lines), EventServicer(intake, meter)
    feed_methods = {
        "GetFeed": _unary(refusals.unary("GetFeed", feed_pb2.GetFeedRequest, feed.get_feed), pools.feeds),
        "ListSimilarItems": _unary(
            refusals.unary("ListSimilarItems", feed_pb2.ListSimilarItemsRequest, feed.list_similar_items), pools.feeds
        ),
        # It takes as long as it takes, so it waits beside the feeds and not before them.
        "ExplainItem": _unary(
            refusals.unary("ExplainItem", feed_pb2.ExplainItemRequest, feed.explain_item), pools.waiting
        ),
    }
    event_methods = {
        "RecordEvents": _unary(
            refusals.unary("RecordEvents", events_pb2.RecordEventsRequest, events.record_events), pools.waiting
        ),
        "StreamEvents": _client_stream(
            refusals.stream("StreamEvents", events_pb2.StreamEventsRequest, events.stream_events), pools.streams
        ),
    }
    catalog_methods = {
        "GetItem": _unary(refusals.unary("GetItem", catalog_pb2.GetItemRequest, catalog.get_item), pools.feeds),
        "UpsertItems": _unary(
            refusals.unary("UpsertItems", catalog_pb2.UpsertItemsRequest, catalog.upsert_items), pools.waiting
        ),
        "TakeDown": _unary(refusals.unary("TakeDown", catalog_pb2.TakeDownRequest, catalog.take_down), pools.waiting),
        "Restore": _unary(refusals.unary("Restore", catalog_pb2.RestoreRequest, catalog.restore), pools.waiting),
    }
    return [
        grpc.method_handlers_generic_handler(FEED_SERVICE, feed_methods),
        grpc.method_handlers_generic_handler(EVENT_SERVICE, event_methods),
        grpc.method_handlers_generic_handler(CATALOG_SERVICE, catalog_methods),
    ]


def _operator_handlers(
    operations: Operations, refusals: Refusals, arrivals: Arrivals
) -> list[grpc.GenericRpcHandler[Any, Any]]:
    models, privacy = operations.models, operations.privacy
    answers: dict[str, dict[str, tuple[type[Message], Unary]]] = {
        MODEL_SERVICE: {
            "ListModels": (models_pb2.ListModelsRequest, models.list_models),
            "ActivateModel": (models_pb2.ActivateModelRequest, models.activate_model),
            "Rollback": (models_pb2.RollbackRequest, models.rollback),
            "GetServingStatus": (models_pb2.GetServingStatusRequest, models.get_serving_status),
        },
        PRIVACY_SERVICE: {
            "EraseUser": (privacy_pb2.EraseUserRequest, privacy.erase_user),
            "GetUserData": (privacy_pb2.GetUserDataRequest, privacy.get_user_data),
        },
    }
    return [
        grpc.method_handlers_generic_handler(
            service, {name: _unary(refusals.unary(name, *answer), arrivals) for name, answer in methods.items()}
        )
        for service, methods in answers.items()
    ]


def _unary(answer: Unary, arrivals: Arrivals) -> Any:
    # To gRPC a stream too: for a single request it would wait itself, and without end. Without serialisers it hands the
    # bytes over as they are.
    def arriving(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return answer(arrivals.first(messages, context), context)

    return grpc.stream_unary_rpc_method_handler(_on(arrivals.pool, arriving))


def _client_stream(answer: ClientStream, arrivals: Arrivals) -> Any:
    def arriving(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return answer(arrivals.each(messages, context), context)

    return grpc.stream_unary_rpc_method_handler(_on(arrivals.pool, arriving))


def _on(pool: BoundedPool, answer: Callable[..., bytes]) -> Callable[..., bytes]:
    """The method, to be run by that pool; a grpcio that does not know the attribute runs it on the common one."""
    answer.experimental_thread_pool = pool  # type: ignore[attr-defined]  # grpcio reads it off the function
    return answer
