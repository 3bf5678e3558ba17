"""CatalogService: the items as the server knows them."""

from __future__ import annotations

import grpc

from recommender.api.v1 import catalog_pb2
from recommender.errors import RequestError
from recommender.service.feed_servicer import Live
from recommender.service.wire import item_request, item_to


class CatalogServicer:
    """Answers GetItem.

    Args:
        live: Read anew by every request.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    def get_item(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One item: GetItemRequest to GetItemResponse.

        Raises:
            RequestError: ITEM_NOT_FOUND.
        """
        item_id = item_request(data)
        item = self._live.pages.item(item_id)
        if item is None:
            said = f"item {item_id!r} is not in the catalogue; an item appears there with the next model"
            raise RequestError("NOT_FOUND", "ITEM_NOT_FOUND", said)
        return catalog_pb2.GetItemResponse(item=item_to(item)).SerializeToString()
