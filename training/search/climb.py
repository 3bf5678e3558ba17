"""One source's way from what is chosen without a search to what does best: one step along one parameter at a time."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from recommender.features.recency import Recency
from training.models.parameters import RECENCIES, RECENCY_STEPS, UNTIMED, recency_of
from training.models.shapes import Shape
from training.ranking.choose import mean_of
from training.search.record import Trial

#: A parameter: of how histories fade, which costs no fit, or of how the model is fitted.
Axis = tuple[Literal["recency", "shape"], str]
_UP_AND_DOWN: Final = (1, -1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """How a source may be fitted, where there is a choice, and asked."""

    shape: Shape | None
    recency: Recency

    def choice(self) -> dict[str, Any]:
        """As the record has it."""
        shape = {} if self.shape is None else self.shape.values()
        return {"shape": shape, "recency": {name: float(value) for name, value in asdict(self.recency).items()}}

    def stepped(self, axis: Axis, up: int) -> Candidate | None:
        """The next one along an axis; None at its end."""
        kind, name = axis
        if kind == "recency":
            value = next_step(RECENCY_STEPS[name], getattr(self.recency, name), up)
            changed = {**asdict(self.recency), name: value}
            return None if value is None else Candidate(self.shape, recency_of(changed))
        assert self.shape is not None  # noqa: S101  # there are no such axes without a shape
        steps = next(each.metadata["steps"] for each in fields(self.shape) if each.name == name)
        value = next_step(steps, getattr(self.shape, name), up)
        changed = {**asdict(self.shape), name: value}
        return None if value is None else Candidate(type(self.shape).of(changed), self.recency)


def next_step(steps: Sequence[float], value: float, up: int) -> float | None:
    """What stands beside a value among steps, or on its other side where it is none of them; None at the end."""
    if value in steps:
        place = list(steps).index(value) + up
        return steps[place] if 0 <= place < len(steps) else None
    beyond = [step for step in steps if (step - value) * up > 0]
    return (min(beyond) if up > 0 else max(beyond)) if beyond else None


class Climb:
    """What has been found for a source.

    Args:
        name: The source.
        shape: The shape that was chosen without a search; None for a source that has none.
        fixed: {"recency" or "shape": {parameter: value}} by the configuration: no step is made along these.
        timed: Whether the log has times; without, nothing fades.

    Attributes:
        base: The best of what is tried without a search.
        best: The best so far, by one half of the users.
    """

    def __init__(
        self, name: str, shape: Shape | None, fixed: Mapping[str, Mapping[str, float]], *, timed: bool
    ) -> None:
        self.name = name
        own = fixed.get("recency", {})
        options = [recency_of({**asdict(option), **own}) for option in RECENCIES[name]] if timed else [UNTIMED]
        self.options = [Candidate(shape, recency) for recency in dict.fromkeys(options)]
        self.axes: list[Axis] = [("recency", each) for each in RECENCY_STEPS if timed and each not in own]
        if shape is not None:
            self.axes += [("shape", each.name) for each in fields(shape) if each.name not in fixed.get("shape", {})]
        self.base: tuple[Candidate, Trial] | None = None
        self.best: tuple[Candidate, Trial] | None = None
        self._seen: set[Candidate] = set()

    def walk(self) -> Generator[Candidate, Trial, None]:
        """What to try next, told of each trial; ends where no step along any axis is one up."""
        for option in self.options:
            yield from self._try(option)
        self.base = self.best
        moved = bool(self.axes)
        while moved:
            moved = False
            for axis in self.axes:
                for up in _UP_AND_DOWN:
                    while (yield from self._step(axis, up)):
                        moved = True

    def agreed(self) -> Candidate | None:
        """The best, where it also beats what was tried without a search on the other half of the users."""
        if self.base is None or self.best is None or self.best is self.base:
            return None
        (_, base), (candidate, best) = self.base, self.best
        return candidate if mean_of(best.half(1)) > mean_of(base.half(1)) else None

    def _step(self, axis: Axis, up: int) -> Generator[Candidate, Trial, bool]:
        assert self.best is not None  # noqa: S101  # the options came first
        candidate = self.best[0].stepped(axis, up)
        if candidate is None or candidate in self._seen:
            return False
        return (yield from self._try(candidate))

    def _try(self, candidate: Candidate) -> Generator[Candidate, Trial, bool]:
        trial = yield candidate
        self._seen.add(candidate)
        better = self.best is None or mean_of(trial.half(0)) > mean_of(self.best[1].half(0))
        if better:
            self.best = (candidate, trial)
        return better
