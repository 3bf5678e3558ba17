"""What parts of a request have lately taken, so that a deadline can be held by leaving some out before they begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: A slower run lifts an estimate by at most this factor and this many seconds, a faster one lowers it by 1.5 %:
#: it settles where 1 run in 20 is slower. One outlier moves it little, a dozen slow runs move it as far as they say.
_RISE: Final = 1.5
_RISE_SECONDS: Final = 0.001
_FALL: Final = 0.985


class Costs:
    """Estimates of the 95th percentile in seconds, by name; shared by all threads of one feed.

    Threads may overwrite each other's observation, which costs that observation.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def of(self, *names: str) -> float:
        """What these take together; a part that never ran takes nothing, so that it runs."""
        return sum(self._seconds.get(name, 0.0) for name in names)

    def note(self, name: str, seconds: float) -> None:
        """Learn from one run."""
        before = self._seconds.get(name, 0.0)
        if seconds > before:
            self._seconds[name] = min(seconds, before * _RISE + _RISE_SECONDS)
        else:
            self._seconds[name] = max(seconds, before * _FALL)

    def shrink(self, name: str) -> None:
        """A part was left out: it is trusted a little more, so that it is tried again after a while."""
        self._seconds[name] = self._seconds.get(name, 0.0) * _FALL

    def fits(self, name: str, left: float, *, among: Iterable[str] = (), reserve: str = "") -> bool:
        """Whether a part can run in the time left, with what must follow it and all faster ones that wait.

        Args:
            name: Of the part.
            left: Seconds.
            among: Parts that could still run after it; the slowest of them give way first.
            reserve: What must follow.
        """
        own = self.of(name)
        faster = sum(cost for cost in map(self.of, among) if cost <= own)
        return left >= own + faster + self.of(reserve)
