"""Parameters of sources as the manifest keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from recommender.config import TrainSettings
from recommender.errors import ConfigurationError
from recommender.features.recency import Recency
from training.models.shapes import SHAPES

#: What is tried for each source: half-lives in days for shops, in items for sequences, and none.
RECENCIES: dict[str, tuple[Recency, ...]] = {
    "cooccurrence": (Recency(0, 0, 100), Recency(30, 0, 100), Recency(60, 0, 300), Recency(0, 3, 100)),
    "als": (Recency(60, 0, 300), Recency(30, 0, 300), Recency(0, 3, 50), Recency(0, 0, 50)),
    "gfcf": (Recency(60, 0, 300), Recency(30, 0, 100), Recency(0, 3, 100), Recency(0, 0, 300)),
    "ease": (Recency(60, 0, 300), Recency(30, 0, 100), Recency(0, 3, 100), Recency(0, 0, 300)),
    "friends": (Recency(30, 0, 100), Recency(120, 0, 300), Recency(0, 0, 300)),
    "own_frequency": (Recency(60, 0, 1_000), Recency(120, 0, 1_000), Recency(30, 0, 1_000), Recency(0, 5, 1_000)),
    "content": (Recency(30, 0, 100), Recency(0, 3, 50), Recency(0, 0, 50)),
    "newcomers": (Recency(60, 0, 300),),
    "popularity_category": (Recency(30, 0, 300), Recency(0, 3, 100), Recency(0, 0, 100)),
}
UNTIMED = Recency(0, 0, 1_000)
#: What a search may walk over; behind the longest half-life stands 0, which is none.
RECENCY_STEPS: Final[Mapping[str, tuple[float, ...]]] = {
    "half_life_days": (3.0, 7.0, 14.0, 30.0, 45.0, 60.0, 90.0, 120.0, 240.0, 0.0),
    "half_life_items": (1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 0.0),
    "limit": (5, 10, 20, 50, 100, 300, 1_000),
}


def recency_parameters(recency: Recency) -> dict[str, Any]:
    """The fields of a recency, for `Recency.of` to read back."""
    return asdict(recency)


def recency_of(values: Mapping[str, float]) -> Recency:
    """The recency that a configuration asks for; what it leaves out is the default."""
    defaults = asdict(Recency())
    return Recency(**{name: type(own)(values[name]) for name, own in defaults.items() if name in values})


def check_choices(train: TrainSettings) -> None:
    """Refuse shapes and recencies that no model has.

    Raises:
        ConfigurationError: A source or a parameter is unknown, or a value is too small; the message names it.
    """
    shapes = {name: {each.name: each.metadata["least"] for each in fields(kind)} for name, kind in SHAPES.items()}
    recencies = {name: {"half_life_days": 0.0, "half_life_items": 0.0, "limit": 1.0} for name in RECENCIES}
    for section, asked, known in (("shapes", train.shapes, shapes), ("recencies", train.recencies, recencies)):
        for name, values in asked.items():
            if name not in known:
                raise ConfigurationError(f"train.{section}.{name}: wanted one of {', '.join(sorted(known))}")
            for key, value in values.items():
                if key not in known[name]:
                    raise ConfigurationError(f"train.{section}.{name}.{key}: wanted one of {', '.join(known[name])}")
                if not value >= known[name][key]:
                    raise ConfigurationError(
                        f"train.{section}.{name}.{key}: {value:g} is too small, wanted {known[name][key]:g} or more"
                    )


def default_recencies(timed: bool) -> dict[str, Recency]:
    """The first of each source's options; none fades without times."""
    return {name: options[0] if timed else UNTIMED for name, options in RECENCIES.items()}
