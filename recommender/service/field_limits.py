"""What a field of a request may hold, and how that is said; nothing here knows gRPC."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from recommender.errors import RequestError

MAX_ID_BYTES: Final = 256
MAX_VIOLATIONS: Final = 20
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURELY_SHORT: Final = MAX_ID_BYTES // 4


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `reason` in UPPER_SNAKE for programs, `message` for people."""

    reason: str
    message: str


def id_problem(text: str) -> Problem | None:
    """What is wrong with an id or a short name, None where nothing is: 256 bytes of UTF-8, no control characters."""
    if len(text) <= _SURELY_SHORT and text.isascii() and text.isprintable():
        return None
    size = len(text.encode())
    if size > MAX_ID_BYTES:
        return Problem("ID_TOO_LONG", f"has {size:,} bytes of UTF-8, at most {MAX_ID_BYTES} are allowed")
    if (found := _CONTROL.search(text)) is not None:
        where = f"U+{ord(found[0]):04X} at character {found.start()}"
        return Problem("ID_CONTROL_CHARACTER", f"holds the control character {where}; send ids without them")
    return None


def number_problem(value: float | None) -> Problem | None:
    """What is wrong with an optional number: NaN and infinities are refused."""
    if value is None or math.isfinite(value):
        return None
    return Problem("NUMBER_NOT_FINITE", f"is {value}, wanted a finite number")


@dataclass(slots=True)
class Violations:
    """Collects what is wrong with one request, so that a client learns all of it at once."""

    found: list[tuple[str, Problem]] = field(default_factory=list)

    def add(self, path: str, problem: Problem | None) -> None:
        """Note a problem of a field, if there is one."""
        if problem is not None and len(self.found) < MAX_VIOLATIONS:
            self.found.append((path, problem))

    def ids(self, path: str, values: Iterable[str], limit: int) -> None:
        """Note what is wrong with a repeated field of ids of which at most `limit` are allowed."""
        for index, value in enumerate(values):
            if index == limit:
                self.add(path, Problem("TOO_MANY_VALUES", f"has more than {limit:,} values; send fewer"))
                return
            self.add(f"{path}[{index}]", id_problem(value))

    def refuse(self) -> None:
        """Refuse the request if anything was found.

        Raises:
            RequestError: INVALID_ARGUMENT with the first problem's reason, and every problem as a violation.
        """
        if self.found:
            path, first = self.found[0]
            violations = [(where, problem.message) for where, problem in self.found]
            raise RequestError("INVALID_ARGUMENT", first.reason, f"{path} {first.message}", violations)
