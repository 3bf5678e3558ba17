"""What decides how a model is fitted, beside its size: chosen by validation for each log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self


def _tried(default: Any, steps: tuple[float, ...], least: float = 0.0) -> Any:
    """A field with the values that a search may walk over, and the least that a configuration may ask for."""
    return field(default=default, metadata={"steps": steps, "least": least})


@dataclass(frozen=True, slots=True)
class Shape:
    """What all shapes share."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The shape among a source's parameters; defaults where it has none."""
        defaults = asdict(cls())
        return cls(**{name: type(own)(parameters[name]) for name, own in defaults.items() if name in parameters})

    def values(self) -> dict[str, float]:
        """As a configuration has it."""
        return {name: float(value) for name, value in asdict(self).items()}


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

    window: int = _tried(20, (3, 5, 10, 20, 50, 100, 200), least=1)
    backward: float = _tried(0.5, (0.0, 0.15, 0.3, 0.5, 0.7, 1.0))
    gap_power: float = _tried(0.75, (0.0, 0.25, 0.5, 0.75, 1.0, 1.5))
    saturation: float = _tried(1.0, (0.25, 0.5, 1.0, 2.0, 4.0), least=0.01)
    norm_from: float = _tried(0.5, (0.0, 0.25, 0.5, 0.75, 1.0))
    norm_to: float = _tried(0.1, (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5))


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
    """How long the vectors of ALS are, how sure an interaction makes it, and how much it is held back.

    Args:
        factors: Length of the vectors.
        alpha: Confidence per unit of log weight.
        regularization: Added to the diagonal of every solve.
    """

    factors: int = _tried(128, (32, 64, 128, 256), least=2)
    alpha: float = _tried(10.0, (0.3, 1.0, 3.0, 10.0, 30.0, 100.0), least=1e-3)
    regularization: float = _tried(1.0, (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), least=1e-3)


#: What is tried for ALS: sparse logs want every interaction trusted, dense ones want none to dominate.
ALS_SHAPES = (AlsShape(alpha=10.0, regularization=1.0), AlsShape(alpha=1.0, regularization=10.0))


@dataclass(frozen=True, slots=True)
class GfcfShape(Shape):
    """How the graph of users and items is filtered.

    Args:
        dim: Singular vectors of the low-pass.
        alpha: What the low-pass weighs beside one step over the graph.
        norm: Exponent of the popularity that items are divided by.
    """

    dim: int = _tried(256, (32, 64, 128, 256, 512), least=1)
    alpha: float = _tried(0.3, (0.0, 0.1, 0.2, 0.3, 0.5, 1.0))
    norm: float = _tried(0.5, (0.2, 0.3, 0.4, 0.5, 0.6))


#: What is tried for GF-CF.
GFCF_SHAPES = (GfcfShape(), GfcfShape(norm=0.4))


@dataclass(frozen=True, slots=True)
class EaseShape(Shape):
    """How strongly weights are held back.

    Args:
        regularization: Added to the diagonal of the Gram matrix.
    """

    regularization: float = _tried(500.0, (50.0, 100.0, 200.0, 500.0, 1_000.0, 1_500.0, 3_000.0), least=1e-3)


#: What is tried for EASE: sparse logs want it weak.
EASE_SHAPES = (EaseShape(500.0), EaseShape(1_500.0), EaseShape(100.0))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of all models that have one, by the names of their sources."""

    cooccurrence: CooccurrenceShape = field(default_factory=CooccurrenceShape)
    als: AlsShape = field(default_factory=AlsShape)
    gfcf: GfcfShape = field(default_factory=GfcfShape)
    ease: EaseShape = field(default_factory=EaseShape)

    @classmethod
    def of(cls, sources: Mapping[str, Mapping[str, Any]]) -> Shapes:
        """The shapes among sources' parameters, those of a manifest or of a configuration."""
        return cls(
            CooccurrenceShape.of(sources.get("cooccurrence", {})),
            AlsShape.of(sources.get("als", {})),
            GfcfShape.of(sources.get("gfcf", {})),
            EaseShape.of(sources.get("ease", {})),
        )


#: The shape of each source that has one.
SHAPES: Final[Mapping[str, type[Shape]]] = {
    "cooccurrence": CooccurrenceShape,
    "als": AlsShape,
    "gfcf": GfcfShape,
    "ease": EaseShape,
}


def options_of(name: str, timed: bool) -> tuple[Shape, ...]:
    """What is tried for a source without a search, the first where nothing is tried."""
    options: dict[str, tuple[Shape, ...]] = {
        "cooccurrence": COOCCURRENCE_SHAPES if timed else UNTIMED_COOCCURRENCE_SHAPES,
        "als": ALS_SHAPES,
        "gfcf": GFCF_SHAPES,
        "ease": EASE_SHAPES,
    }
    return options[name]
