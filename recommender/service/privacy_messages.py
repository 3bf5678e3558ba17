"""What is held of a person, as messages."""

from __future__ import annotations

from collections.abc import Iterable

from recommender.api.v1 import privacy_pb2
from recommender.bundle import Bundle
from recommender.feed.served import ServedPage
from recommender.feed.snapshots import Snapshot
from recommender.service.wire import event_to, timestamp
from recommender.state.protocols import LoggedEvent
from recommender.types import NO_TIME


def held_event(logged: LoggedEvent) -> privacy_pb2.HeldEvent:
    """The message of an event of the log."""
    return privacy_pb2.HeldEvent(
        event=event_to(logged.event),
        arrive_time=timestamp(logged.arrival_ms),
        attribution=logged.attribution,
    )


def shown_items(shown: ServedPage | Snapshot, item_ids: Iterable[str]) -> privacy_pb2.ShownItems:
    """The message of a page that was shown, or of a list that is being paged through."""
    message = privacy_pb2.ShownItems(request_id=shown.request_id, model_version=shown.model_version, item_ids=item_ids)
    if isinstance(shown, ServedPage):
        message.show_time.CopyFrom(timestamp(shown.time_ms))
        message.session_id, message.position = shown.session_id, shown.first_position
    return message


def trained_events(bundle: Bundle, user_id: str) -> list[privacy_pb2.TrainedEvent]:
    """What a bundle carries of a user: the newest events, oldest first, then hides that are older still."""
    history, ids, names = bundle.history(user_id), bundle.items.ids, bundle.manifest.event_types
    columns = (history.item_rows.tolist(), history.event_types.tolist(), history.times_ms.tolist())
    told = [
        privacy_pb2.TrainedEvent(
            item_id=ids[row],
            event_type=names[code] if code < len(names) else "",
            event_time=None if time_ms == NO_TIME else timestamp(time_ms),
        )
        for row, code, time_ms in zip(*columns, strict=True)
    ]
    hidden = {ids[row] for row in bundle.hidden_rows(user_id).tolist()}
    hidden -= {event.item_id for event in told if event.event_type == "hide"}
    return told + [privacy_pb2.TrainedEvent(item_id=item_id, event_type="hide") for item_id in sorted(hidden)]


def trained_friends(bundle: Bundle, user_id: str) -> list[str]:
    """The people near a user in a bundle that was trained with edges."""
    person = bundle.ids("friends/users").row(user_id) if bundle.has("friends/users.bytes") else -1
    if person < 0:
        return []
    start, stop = bundle.array("friends/offsets")[person : person + 2]
    return [bundle.users.ids[row] for row in bundle.array("friends/near")[start:stop].tolist()]
