"""Protobuf messages to the types that every layer speaks of, and back."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2
from recommender.errors import RequestError
from recommender.feed.views import FeedRequest, SimilarMode
from recommender.service.field_limits import Problem, Violations, id_problem, number_problem
from recommender.types import Event, FeedContext, FeedFilter, Item, Kind, Relaxation

M = TypeVar("M", bound=Message)

MAX_EXCLUDED: Final = 1_000
MAX_FILTER_VALUES: Final = 100
MAX_TOKEN_CHARACTERS: Final = 4_096
_CONTEXT_FIELDS: Final = ("locale", "country", "city", "gender", "age_band", "device", "surface")
_MODES: Final[dict[int, SimilarMode]] = {
    feed_pb2.MODE_UNSPECIFIED: "behavior",
    feed_pb2.MODE_BEHAVIOR: "behavior",
    feed_pb2.MODE_BOUGHT_TOGETHER: "bought_together",
    feed_pb2.MODE_VISUAL: "visual",
}
_NO_CONTEXT: Final = FeedContext()
_NO_FILTER: Final = FeedFilter()
_NANOS: Final = 1_000_000_000


def parse(kind: type[M], data: bytes) -> M:
    """The message in the bytes of a request.

    Raises:
        RequestError: REQUEST_MALFORMED, they are not such a message or hold text that is not UTF-8.
    """
    try:
        return kind.FromString(data)
    except DecodeError as error:
        wanted = f"a {kind.__name__} with UTF-8 text; make the request with code generated from the .proto files"
        message = f"the request's {len(data):,} bytes are not {wanted}"
        raise RequestError("INVALID_ARGUMENT", "REQUEST_MALFORMED", message) from error


def feed_request(data: bytes, deadline_ms: int | None) -> FeedRequest:
    """The feed request in the bytes of a GetFeedRequest.

    Args:
        data: As received.
        deadline_ms: Milliseconds that the client still waits, None where it did not say.

    Raises:
        RequestError: The bytes or fields are wrong; every field's problem is named.
    """
    return feed_request_of(parse(feed_pb2.GetFeedRequest, data), deadline_ms)


def feed_request_of(message: feed_pb2.GetFeedRequest, deadline_ms: int | None) -> FeedRequest:
    """The feed request in a message.

    Raises:
        RequestError: Fields are wrong; each problem is named.
    """
    _check_feed_request(message)
    return FeedRequest(
        user_id=message.user_id,
        session_id=message.session_id,
        page_size=message.page_size,
        page_token=message.page_token,
        context=_context_from(message.context) if message.HasField("context") else _NO_CONTEXT,
        filter=_filter_from(message.filter) if message.HasField("filter") else _NO_FILTER,
        deadline_ms=deadline_ms,
    )


def _context_from(context: feed_pb2.Context) -> FeedContext:
    return FeedContext(*(getattr(context, name) for name in _CONTEXT_FIELDS))


def _filter_from(wanted: feed_pb2.Filter) -> FeedFilter:
    return FeedFilter(
        kinds=tuple(map(Kind, wanted.kinds)),
        categories=tuple(wanted.categories),
        seller_ids=tuple(wanted.seller_ids),
        min_price=_optional(wanted, "min_price"),
        max_price=_optional(wanted, "max_price"),
        currency=wanted.currency,
        exclude_item_ids=tuple(wanted.exclude_item_ids),
        relax=tuple(dict.fromkeys(map(Relaxation, wanted.relax))),
    )


def _check_feed_request(message: feed_pb2.GetFeedRequest) -> None:
    violations = Violations()
    violations.add("user_id", id_problem(message.user_id))
    violations.add("session_id", id_problem(message.session_id))
    violations.add("page_size", _page_size_problem(message.page_size))
    violations.add("page_token", _token_problem(message.page_token))
    if message.HasField("context"):
        for name in _CONTEXT_FIELDS:
            violations.add(f"context.{name}", id_problem(getattr(message.context, name)))
    if message.HasField("filter"):
        _check_filter(message.filter, violations)
    violations.refuse()


def _check_filter(wanted: feed_pb2.Filter, violations: Violations) -> None:
    _check_enum("filter.kinds", wanted.kinds, Kind, violations)
    _check_enum("filter.relax", wanted.relax, Relaxation, violations)
    violations.ids("filter.categories", wanted.categories, MAX_FILTER_VALUES)
    violations.ids("filter.seller_ids", wanted.seller_ids, MAX_FILTER_VALUES)
    violations.ids("filter.exclude_item_ids", wanted.exclude_item_ids, MAX_EXCLUDED)
    violations.add("filter.currency", id_problem(wanted.currency))
    low, high = _optional(wanted, "min_price"), _optional(wanted, "max_price")
    violations.add("filter.min_price", number_problem(low))
    violations.add("filter.max_price", number_problem(high))
    if low is not None and high is not None and low > high:
        said = f"is {low}, above filter.max_price {high}; exchange them"
        violations.add("filter.min_price", Problem("PRICE_RANGE_EMPTY", said))


def _check_enum(path: str, values: Any, known: type[Kind | Relaxation], violations: Violations) -> None:
    if len(values) > MAX_FILTER_VALUES:
        violations.add(path, Problem("TOO_MANY_VALUES", f"has more than {MAX_FILTER_VALUES} values; send fewer"))
        return
    numbers = {member.value for member in known}
    for index, value in enumerate(values):
        if value not in numbers:
            said = f"is {value}, wanted one of {', '.join(f'{member.value} {member.name}' for member in known)}"
            violations.add(f"{path}[{index}]", Problem("ENUM_UNKNOWN", said))


def _page_size_problem(page_size: int) -> Problem | None:
    if page_size >= 0:
        return None
    return Problem("PAGE_SIZE_NEGATIVE", f"is {page_size}, wanted 0 (for 20) to 100")


def _token_problem(token: str) -> Problem | None:
    if len(token) <= MAX_TOKEN_CHARACTERS:
        return None
    said = f"has {len(token):,} characters and was not made here; leave it out to start a new feed"
    return Problem("PAGE_TOKEN_INVALID", said)


def similar_request(data: bytes) -> tuple[str, SimilarMode, int, str]:
    """Item id, mode, page size and page token in the bytes of a ListSimilarItemsRequest.

    Raises:
        RequestError: The bytes or fields are wrong.
    """
    message = parse(feed_pb2.ListSimilarItemsRequest, data)
    violations = Violations()
    violations.add("item_id", _required_id(message.item_id))
    violations.add("page_size", _page_size_problem(message.page_size))
    violations.add("page_token", _token_problem(message.page_token))
    mode = _MODES.get(message.mode)
    if mode is None:
        violations.add("mode", Problem("ENUM_UNKNOWN", f"is {message.mode}, wanted 1 BEHAVIOR or 3 BOUGHT_TOGETHER"))
    violations.refuse()
    return message.item_id, mode or "behavior", message.page_size, message.page_token


def item_request(data: bytes) -> tuple[str, bool]:
    """The item id in the bytes of a GetItemRequest, and whether one that was taken down is wanted too.

    Raises:
        RequestError: The bytes or the id are wrong.
    """
    message = parse(catalog_pb2.GetItemRequest, data)
    violations = Violations()
    violations.add("item_id", _required_id(message.item_id))
    violations.refuse()
    return message.item_id, message.show_taken_down


def _required_id(text: str) -> Problem | None:
    return id_problem(text) if text else Problem("ITEM_ID_REQUIRED", "is empty, wanted an item id")


def event_from(message: events_pb2.Event) -> Event:
    """The event in a message, unchecked; an unset `event_time` gives None."""
    return Event(
        event_id=message.event_id,
        item_id=message.item_id,
        event_type=message.event_type,
        user_id=message.user_id,
        session_id=message.session_id,
        time_ms=_ms(message.event_time) if message.HasField("event_time") else None,
        receipt=message.receipt,
        value=_optional(message, "value"),
        price=_optional(message, "price"),
        currency=message.currency,
        quantity=_optional(message, "quantity"),
        attributes=dict(message.attributes),
    )


def event_to(event: Event) -> events_pb2.Event:
    """The message of an event, as a client sends it."""
    return events_pb2.Event(
        event_id=event.event_id,
        user_id=event.user_id,
        session_id=event.session_id,
        item_id=event.item_id,
        event_type=event.event_type,
        event_time=None if event.time_ms is None else timestamp(event.time_ms),
        receipt=event.receipt,
        value=event.value,
        price=event.price,
        currency=event.currency,
        quantity=event.quantity,
        attributes=dict(event.attributes),
    )


def item_to(item: Item) -> catalog_pb2.Item:
    """The message of an item."""
    return catalog_pb2.Item(
        item_id=item.item_id,
        kind=feed_pb2.Kind.ValueType(item.kind),
        title=item.title,
        description=item.description,
        category=item.category,
        brand=item.brand,
        seller_id=item.seller_id,
        price=item.price,
        currency=item.currency,
        image_url=item.image_url,
        create_time=None if item.created_ms is None else timestamp(item.created_ms),
        expire_time=None if item.expires_ms is None else timestamp(item.expires_ms),
        available=item.available,
        attributes=dict(item.attributes),
    )


def item_from(message: catalog_pb2.Item) -> Item:
    """The item in a message whose kind is known; an unset kind is a product, an unset availability yes."""
    return Item(
        item_id=message.item_id,
        kind=Kind(message.kind or Kind.PRODUCT),
        title=message.title,
        description=message.description,
        category=message.category,
        brand=message.brand,
        seller_id=message.seller_id,
        price=_optional(message, "price"),
        currency=message.currency,
        image_url=message.image_url,
        created_ms=_ms(message.create_time) if message.HasField("create_time") else None,
        expires_ms=_ms(message.expire_time) if message.HasField("expire_time") else None,
        available=message.available or not message.HasField("available"),
        attributes=dict(message.attributes),
    )


def timestamp(time_ms: int) -> Timestamp:
    """A Timestamp of milliseconds since the epoch, before it too."""
    seconds, rest_ms = divmod(time_ms, 1_000)
    return Timestamp(seconds=seconds, nanos=rest_ms * 1_000_000)


def _ms(time: Timestamp) -> int:
    """Milliseconds since the epoch, however far off; of nanoseconds out of their range the nearest inside."""
    return time.seconds * 1_000 + min(max(time.nanos, 0), _NANOS - 1) // 1_000_000


def _optional(message: Message, name: str) -> float | None:
    value: float | None = getattr(message, name) if message.HasField(name) else None
    return value
