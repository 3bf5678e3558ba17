"""CatalogService: the items as the server knows them, and what the shop says of them between two models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import grpc

from recommender.api.v1 import catalog_pb2
from recommender.errors import RequestError
from recommender.service.feed_servicer import Live
from recommender.service.field_limits import MAX_ID_BYTES
from recommender.service.item_intake import MAX_REASON_BYTES, ItemIntake, ItemRejection, text_problem
from recommender.service.roles import Role
from recommender.service.wire import item_request, item_to, parse, timestamp
from recommender.state.live_items import Ruling, Target

MAX_ITEMS: Final = 1_000
MAX_CALL_BYTES: Final = 1 << 20
#: Who is told why an item was taken down: not those who speak for shoppers. Without tokens every role is open.
_DECIDES: Final = frozenset({"", Role.CATALOG.value, Role.ADMIN.value})


class CatalogServicer:
    """Answers UpsertItems, TakeDown, Restore and GetItem.

    Args:
        live: Read anew by every request.
        intake: Checks and keeps.
        caller: The role in which a call came, from its metadata.
    """

    def __init__(
        self, live: Live, intake: ItemIntake, caller: Callable[[Iterable[tuple[str, str | bytes]]], str]
    ) -> None:
        self._live = live
        self._intake = intake
        self._caller = caller

    def upsert_items(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Keep a call's items: UpsertItemsRequest to UpsertItemsResponse."""
        _check_size(len(data))
        message = parse(catalog_pb2.UpsertItemsRequest, data)
        _check_count(len(message.items), "items")
        count, rejections = self._intake.upsert(message.items)
        reply = catalog_pb2.UpsertItemsResponse(upserted_count=count, rejections=_messages(rejections))
        return reply.SerializeToString()

    def take_down(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Take items and sellers down: TakeDownRequest to TakeDownResponse."""
        count, rejections = self._rule(catalog_pb2.TakeDownRequest, data, context, taken_down=True)
        return catalog_pb2.TakeDownResponse(taken_down_count=count, rejections=rejections).SerializeToString()

    def restore(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """End takedowns: RestoreRequest to RestoreResponse."""
        count, rejections = self._rule(catalog_pb2.RestoreRequest, data, context, taken_down=False)
        return catalog_pb2.RestoreResponse(restored_count=count, rejections=rejections).SerializeToString()

    def get_item(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One item: GetItemRequest to GetItemResponse.

        Raises:
            RequestError: ITEM_NOT_FOUND, ITEM_TAKEN_DOWN.
        """
        item_id, show_taken_down = item_request(data)
        feed = self._live.feed
        item = feed.current().item(item_id)
        if item is None:
            said = f"item {item_id!r} is neither in the model's catalogue nor was it sent since; check its id"
            raise RequestError("NOT_FOUND", "ITEM_NOT_FOUND", said)
        ruling = feed.takedown(item)
        if ruling is not None and not (show_taken_down and self._caller(context.invocation_metadata()) in _DECIDES):
            said = f"item {item_id!r} was taken down; the roles catalog and admin may set show_taken_down to see it"
            raise RequestError("NOT_FOUND", "ITEM_TAKEN_DOWN", said)
        takedown = None if ruling is None else _takedown(ruling)
        return catalog_pb2.GetItemResponse(item=item_to(item), takedown=takedown).SerializeToString()

    def _rule(
        self,
        kind: type[catalog_pb2.TakeDownRequest | catalog_pb2.RestoreRequest],
        data: bytes,
        context: grpc.ServicerContext,
        *,
        taken_down: bool,
    ) -> tuple[int, list[catalog_pb2.CatalogRejection]]:
        _check_size(len(data))
        message = parse(kind, data)
        _check_count(len(message.item_ids) + len(message.seller_ids), "item_ids")
        if not message.item_ids and not message.seller_ids:
            said = "item_ids and seller_ids are both empty; name at least one item or seller"
            raise RequestError("INVALID_ARGUMENT", "ID_REQUIRED", said, [("item_ids", said)])
        if (problem := text_problem(message.reason, MAX_REASON_BYTES)) is not None:
            said = f"reason {problem.message}"
            raise RequestError("INVALID_ARGUMENT", problem.reason, said, [("reason", said)])
        count, rejections = self._intake.rule(
            message.item_ids,
            message.seller_ids,
            taken_down=taken_down,
            reason=message.reason,
            author=self._caller(context.invocation_metadata()),
        )
        return count, _messages(rejections)


def _takedown(ruling: Ruling) -> catalog_pb2.Takedown:
    return catalog_pb2.Takedown(
        take_down_time=timestamp(ruling.time_ms),
        reason=ruling.reason,
        author=ruling.author,
        seller_id=ruling.name if ruling.target is Target.SELLER else "",
    )


def _check_size(size: int) -> None:
    if size > MAX_CALL_BYTES:
        said = f"the call has {size:,} bytes, at most {MAX_CALL_BYTES:,} are taken; send fewer items in each"
        raise RequestError("INVALID_ARGUMENT", "CALL_TOO_LARGE", said)


def _check_count(count: int, field: str) -> None:
    if count > MAX_ITEMS:
        said = f"the call names {count:,} items or sellers, at most {MAX_ITEMS:,} are taken; send fewer in each"
        raise RequestError("INVALID_ARGUMENT", "TOO_MANY_ITEMS", said, [(field, said)])


def _messages(rejections: Iterable[ItemRejection]) -> list[catalog_pb2.CatalogRejection]:
    return [
        catalog_pb2.CatalogRejection(
            field=rejection.field,
            index=rejection.index,
            # An id may be rejected for its length: what is said of it has no reason to be as long.
            id=rejection.name[:MAX_ID_BYTES],
            reason=rejection.problem.reason,
            message=rejection.problem.message,
        )
        for rejection in rejections
    ]
