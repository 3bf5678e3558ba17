"""PrivacyService: all that is held of a person, told or erased."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import grpc

from recommender.api.v1 import privacy_pb2
from recommender.feed.served import ServedPage
from recommender.feed.snapshots import Snapshot
from recommender.logs import erased_hash
from recommender.service.feed_servicer import Live
from recommender.service.field_limits import Problem, Violations, id_problem
from recommender.service.privacy_messages import held_event, shown_items, trained_events, trained_friends
from recommender.service.wire import parse, timestamp
from recommender.state.protocols import State

DEFAULT_PAGE_SIZE: Final = 1_000
MAX_PAGE_SIZE: Final = 10_000
_TOKEN: Final = re.compile("[0-9]{1,18}")


class PrivacyServicer:
    """Answers EraseUser and GetUserData.

    Args:
        live: The model, which may carry a history of the user.
        state: Everything else that does.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, live: Live, state: State, clock: Callable[[], int]) -> None:
        self._live = live
        self._state = state
        self._clock = clock

    def erase_user(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Erase a user in every store: EraseUserRequest to EraseUserResponse."""
        user_id = parse(privacy_pb2.EraseUserRequest, data).user_id
        _check(user_id)
        removed = self._state.remove_user(user_id)
        stores = {"events": removed.events, "snapshots": removed.snapshots, "served": removed.served}
        return privacy_pb2.EraseUserResponse(
            user_hash=erased_hash(user_id, self._state.erased().salt),
            erase_time=timestamp(self._clock()),
            stores=[privacy_pb2.StoreErasure(store=name, erased_count=count) for name, count in stores.items()],
            session_count=removed.sessions,
            overwritten=removed.overwritten,
            trained_model_version=self._trained(user_id).trained_model_version,
        ).SerializeToString()

    def get_user_data(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of what is held of a user: GetUserDataRequest to GetUserDataResponse.

        Raises:
            RequestError: USER_ID_REQUIRED, PAGE_SIZE_NEGATIVE, PAGE_TOKEN_INVALID.
        """
        request = parse(privacy_pb2.GetUserDataRequest, data)
        _check(request.user_id, request.page_size, request.page_token)
        size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        found = self._state.find_user(request.user_id)
        # The token is the last event's place in the log, so that events that come meanwhile move no page.
        events = [each for each in found.events if each.sequence > int(request.page_token or 0)]
        reply = privacy_pb2.GetUserDataResponse(
            events=map(held_event, events[:size]),
            next_page_token=str(events[size - 1].sequence) if len(events) > size else "",
            erased=found.erased,
        )
        if not request.page_token:
            reply.session_ids.extend(found.sessions)
            reply.served_pages.extend(self._shown(map(ServedPage.decode, found.served)))
            reply.snapshots.extend(self._shown(map(Snapshot.decode, found.snapshots)))
            reply.MergeFrom(self._trained(request.user_id))
        return reply.SerializeToString()

    def _shown(self, shown: Iterable[ServedPage | Snapshot | None]) -> Iterator[privacy_pb2.ShownItems]:
        """Messages of those that this version can read."""
        for each in shown:
            if each is not None:
                yield shown_items(each, self._state.numbers.item_ids(each.item_numbers))

    def _trained(self, user_id: str) -> privacy_pb2.GetUserDataResponse:
        """The live model's version and what it carries of the user; empty where that is nothing."""
        bundle = self._live.feed.bundle
        events, friends = trained_events(bundle, user_id), trained_friends(bundle, user_id)
        version = bundle.version if events or friends else ""
        return privacy_pb2.GetUserDataResponse(
            trained_events=events, trained_friend_ids=friends, trained_model_version=version
        )


def _check(user_id: str, page_size: int = 0, page_token: str = "") -> None:
    violations = Violations()
    wanted = Problem("USER_ID_REQUIRED", "is empty, wanted a user id")
    violations.add("user_id", id_problem(user_id) if user_id else wanted)
    if page_size < 0:
        said = f"is {page_size}, wanted 0 for {DEFAULT_PAGE_SIZE:,} or up to {MAX_PAGE_SIZE:,}"
        violations.add("page_size", Problem("PAGE_SIZE_NEGATIVE", said))
    if page_token and not _TOKEN.fullmatch(page_token):
        said = "was not given by GetUserData; begin without one"
        violations.add("page_token", Problem("PAGE_TOKEN_INVALID", said))
    violations.refuse()
