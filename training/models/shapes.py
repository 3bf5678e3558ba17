"""What decides how a model is fitted, beside its size: chosen by validation for each log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Shape:
    """What all shapes share."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The shape among a source's parameters in the manifest; defaults where it has none."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls) if field.name in parameters})


@dataclass(frozen=True, slots=True)
class CooccurrenceShape(Shape):
    """How pairs count.

    Args:
        window: How many places apart two events of a sequence may stand.
        backward: What a pair counts against the direction of time.
        gap_power: A pair `gap` places apart counts gap ** -gap_power.
        saturation: Pair weight at which one actor's voice is worth half.
        norm_from, norm_to: Exponents of the popularity that the two items' scores are divided by.
    """

    window: int = 20
    backward: float = 0.5
    gap_power: float = 0.75
    saturation: float = 1.0
    norm_from: float = 0.5
    norm_to: float = 0.1


#: What is tried for co-occurrence. The first divides out most of the neighbour's popularity: where the log cannot tell
#: them apart, what goes with an item in particular is a better reason than what goes with everything.
COOCCURRENCE_SHAPES = (
    CooccurrenceShape(window=50, gap_power=0.5, norm_to=0.3),
    CooccurrenceShape(backward=0.3, gap_power=0.5, norm_to=0.2),
    CooccurrenceShape(),
    CooccurrenceShape(backward=0.7, gap_power=1.0, norm_to=0.0),
)
#: Without times: pairs over up to a thousand items, without direction; one endless history must not cost its square.
UNTIMED_COOCCURRENCE_SHAPES = tuple(
    CooccurrenceShape(1_000, backward=1.0, gap_power=0.0, norm_to=norm_to) for norm_to in (0.3, 0.1, 0.0)
)


@dataclass(frozen=True, slots=True)
class AlsShape(Shape):
    """How sure an interaction makes ALS, and how short its vectors are kept.

    Args:
        alpha: Confidence per unit of log weight.
        regularization: Added to the diagonal of every solve.
    """

    alpha: float = 10.0
    regularization: float = 1.0


#: What is tried for ALS: sparse logs want every interaction trusted, dense ones want none to dominate.
ALS_SHAPES = (AlsShape(10.0, 1.0), AlsShape(1.0, 10.0))


@dataclass(frozen=True, slots=True)
class GfcfShape(Shape):
    """How the graph of users and items is filtered.

    Args:
        dim: Singular vectors of the low-pass.
        alpha: What the low-pass weighs beside one step over the graph.
        norm: Exponent of the popularity that items are divided by.
    """

    dim: int = 256
    alpha: float = 0.3
    norm: float = 0.5


#: What is tried for GF-CF.
GFCF_SHAPES = (GfcfShape(), GfcfShape(norm=0.4))


@dataclass(frozen=True, slots=True)
class EaseShape(Shape):
    """How strongly weights are held back.

    Args:
        regularization: Added to the diagonal of the Gram matrix.
    """

    regularization: float = 500.0


#: What is tried for EASE: sparse logs want it weak.
EASE_SHAPES = (EaseShape(500.0), EaseShape(1_500.0), EaseShape(100.0))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of all models that have one."""

    cooccurrence: CooccurrenceShape = field(default_factory=CooccurrenceShape)
    als: AlsShape = field(default_factory=AlsShape)
    gfcf: GfcfShape = field(default_factory=GfcfShape)
    ease: EaseShape = field(default_factory=EaseShape)

    @classmethod
    def of(cls, sources: Mapping[str, Mapping[str, Any]]) -> Shapes:
        """The shapes among the manifest's sources."""
        return cls(
            CooccurrenceShape.of(sources.get("cooccurrence", {})),
            AlsShape.of(sources.get("als", {})),
            GfcfShape.of(sources.get("gfcf", {})),
            EaseShape.of(sources.get("ease", {})),
        )
