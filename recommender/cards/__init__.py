"""The static bytes of a card, for items of a bundle and live ones alike; see README.md."""

from recommender.cards.static import card_bytes

__all__ = ["card_bytes"]
