"""What came of a run of crashes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.crash.catalogues import Looks


@dataclass
class Report:
    """What came of it.

    Args:
        seed: Of the moments, targets and events.
        kills: How often each target died.
        acknowledged: Events that a client was told are stored.
        found: Of these, in the log.
        doubled: Events that stand in the log more than once.
        hides: Of the acknowledged events; in feeds of every worker they must hold.
        half_written: Events that differ from what was sent, bundles that are not whole, damaged files.
        items_sent: Items of acknowledged calls; `rulings` likewise, takedowns and restorations of items and sellers.
        looks: What the workers told of them after each death.
        came_up: Rounds after which every worker answered.
        failures: What no crash explains.
    """

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    found: int = 0
    doubled: int = 0
    hides: int = 0
    items_sent: int = 0
    rulings: int = 0
    looks: Looks = field(default_factory=Looks)
    half_written: list[str] = field(default_factory=list)
    came_up: int = 0
    pages: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """How many there were."""
        return self.kills.total()

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled or half written, and the server came up each time."""
        whole = self.found == self.acknowledged and not self.doubled and not self.half_written
        return whole and self.looks.good and self.came_up == self.rounds and not self.failures

    def text(self) -> str:
        """The report in lines."""
        looks = self.looks
        lines = [
            f"seed          {self.seed}",
            f"kills         {self.rounds}: " + ", ".join(f"{n} x {target}" for target, n in self.kills.most_common()),
            f"acknowledged  {self.acknowledged:,} events, {self.hides:,} of them hides, beside {self.pages:,} pages",
            f"found         {self.found:,}, lost {self.acknowledged - self.found:,}",
            f"doubled       {self.doubled:,}",
            f"half-written  {len(self.half_written):,}",
            f"acknowledged  {self.items_sent:,} items, {self.rulings:,} takedowns and restorations",
            f"looked at     {looks.items:,} items and {looks.hides:,} hides, on every worker after each death",
            f"of these      {looks.lost:,} lost, {looks.doubled:,} doubled, {looks.half_written:,} half-written",
            f"came up       {self.came_up} of {self.rounds}",
        ]
        said = [*self.half_written, *self.looks.said, *self.failures]
        return "\n".join([*lines, *(f"  {each}" for each in said[:20])])
