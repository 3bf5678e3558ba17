"""What the demo prints: feeds of two households and of a newcomer, who buys something, and how that feed turned."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recommender.api.v1 import feed_pb2
from recommender.errors import WindowshopError
from recommender.service.client import EventSender, FeedReader
from recommender.service.feed_table import reason_in_words
from recommender.types import Event
from training.worlds.shoppers import Good, Market, Shopper

Cards = Sequence[feed_pb2.Card]

#: Whose feeds are shown: those who buy most kinds of things of these.
KEEN_ON: Final = ("Household > Baby foods", "Nutrition")
#: Who comes for the first time; nobody in a world is called so.
NEWCOMER: Final = "newcomer"
#: What they buy: the best-selling item of the first of these that the world has.
FIRST_BOUGHT: Final = ("Household > Infant formula", "Grocery > Hispanic", "Produce")
_CARDS: Final = 12
_LATELY: Final = 8
#: Narrower terminals have no room for the category, and break titles and reasons instead of cutting them.
_WIDE: Final = 130


@dataclass(frozen=True, slots=True)
class Turn:
    """How a feed's first cards changed.

    Args:
        marks: {item id: `new`, or places gained or lost such as `+3`}; without those that kept their place.
        left: Cards that are no longer among them, in their old order.
    """

    marks: Mapping[str, str]
    left: Cards


def turn_of(before: Cards, after: Cards) -> Turn:
    """Compare a feed's first cards with those of a moment ago."""
    places = {card.item_id: place for place, card in enumerate(before)}
    marks = {}
    for place, card in enumerate(after):
        if card.item_id not in places:
            marks[card.item_id] = "new"
        elif gained := places[card.item_id] - place:
            marks[card.item_id] = f"{gained:+d}"
    stayed = {card.item_id for card in after}
    return Turn(marks, [card for card in before if card.item_id not in stayed])


class Showing:
    """Asks a server and prints what it answers.

    Args:
        console: To print on.
        market: The world that the server was trained on.
        channel: To the server.
        address: Its name in messages.
    """

    def __init__(self, console: Console, market: Market, channel: grpc.Channel, address: str) -> None:
        self._console = console
        self._market = market
        self._reader = FeedReader(channel, address)
        self._sender = EventSender(channel, address)

    def run(self) -> None:
        """Print it all.

        Raises:
            WindowshopError: The server cannot be reached or refuses.
        """
        known: list[str] = []
        for category in KEEN_ON:
            shopper = self._market.keenest(category, known)
            if shopper is not None:
                known.append(shopper.user_id)
                self._introduce(shopper)
                self._console.print(self._table(self._feed(shopper.user_id)))
        self._say(f"\n[bold]{NEWCOMER.capitalize()}[/bold] is here for the first time.")
        before = self._feed(NEWCOMER)
        self._console.print(self._table(before))
        good = self._market.best_seller(FIRST_BOUGHT)
        self._buy(good)
        self._show_turn(good, before)

    def _introduce(self, shopper: Shopper) -> None:
        about = f"Household {shopper.user_id}" + (f" ({shopper.about})" if shopper.about else "")
        keen_on = shopper.keen_on.rpartition(" > ")[2].lower()
        self._say(f"\n[bold]{escape(about)}[/bold] buys more kinds of {escape(keen_on)} than others do.")
        self._say(f"Bought last: {escape('; '.join(self._market.lately(shopper.user_id, _LATELY)))}.")

    def _buy(self, good: Good) -> None:
        bought = f"{NEWCOMER.capitalize()} buys {good.title}"
        self._say(f"\n[bold]{escape(bought)}[/bold] ({escape(good.category)}) for {good.price:.2f} USD. The next feed:")
        event = Event(
            event_id=uuid.uuid4().hex,
            user_id=NEWCOMER,
            item_id=good.item_id,
            event_type="purchase",
            price=good.price,
            currency="USD",
            quantity=1.0,
        )
        sent = self._sender.send([event], lambda _: None)
        if sent.accepted != 1:
            raise WindowshopError(f"the purchase was not accepted: {sent.examples[0].message}")

    def _show_turn(self, good: Good, before: Cards) -> None:
        after = self._feed(NEWCOMER)
        turn = turn_of(before, after)
        self._console.print(self._table(after, turn.marks))
        n_new = sum(mark == "new" for mark in turn.marks.values())
        n_because = sum(card.reason.item_id == good.item_id for card in after)
        self._say(f"{n_new} of {len(after)} cards are new; {n_because} name this purchase as their reason.")
        if turn.left:
            self._say(f"Gone are: {escape('; '.join(card.title for card in turn.left))}.")

    def _feed(self, user_id: str) -> Cards:
        request = feed_pb2.GetFeedRequest(user_id=user_id, page_size=_CARDS)
        return next(iter(self._reader.pages(request, 1))).cards

    def _table(self, cards: Cards, marks: Mapping[str, str] | None = None) -> Table:
        wide = self._console.width >= _WIDE
        table = Table()
        table.add_column("#", justify="right", no_wrap=True)
        if marks is not None:
            table.add_column("turn", no_wrap=True)
        table.add_column("title", max_width=38, no_wrap=wide)
        if wide:
            table.add_column("category", max_width=40, no_wrap=True)
        table.add_column("USD", justify="right", no_wrap=True)
        table.add_column("sources", no_wrap=True)
        table.add_column("why", max_width=46, no_wrap=wide)
        for card in cards:
            turned = () if marks is None else (marks.get(card.item_id, ""),)
            category = (" > ".join(self._reader.item(card.item_id).category.split(" > ")[:2]),) if wide else ()
            price = f"{card.price:,.2f}" if card.HasField("price") else ""
            why = reason_in_words(card.reason, self._reader.item)
            row = (str(card.position), *turned, card.title, *category, price, _sources(card), why)
            table.add_row(*map(escape, row), style="bold" if turned == ("new",) else None)
        return table

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)


def _sources(card: feed_pb2.Card) -> str:
    """What contributed most, and how many more."""
    return card.sources[0] + (f" +{len(card.sources) - 1}" if len(card.sources) > 1 else "") if card.sources else ""
