"""The one /metrics of a server: what all workers counted, and how their processes stand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from recommender.service.counter_board import Words
from recommender.service.measures import MEASURES, PLACES, Measure

PREFIX: Final = "windowshop_"
#: Of /proc/PID/smaps_rollup, by the value of the label `kind`.
_MEMORY: Final = {"Rss": "resident", "Pss": "proportional", "Private_Dirty": "private_dirty"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the process of one worker's seat stands.

    Args:
        number: Of the worker.
        pid: Its process, None between two.
        ready: Whether it answers.
        version: The model that it serves, empty where that is not known.
    """

    number: int
    pid: int | None
    ready: bool
    version: str = ""


class MetricsPage:
    """Writes the page; everything on it is read at the moment of asking.

    Args:
        total: The workers' counters, summed.
        standings: Every worker.
        deaths: Workers that died and were replaced.
    """

    def __init__(
        self, total: Callable[[], Words], standings: Callable[[], list[Standing]], deaths: Callable[[], int]
    ) -> None:
        self._total = total
        self._standings = standings
        self._deaths = deaths
        self._registry = CollectorRegistry()
        self._registry.register(_Everything(self._families))

    def text(self) -> bytes:
        """The page in Prometheus's text format; a series that was never counted is left out."""
        return generate_latest(self._registry)

    def _families(self) -> Iterator[Metric]:
        total = self._total()
        for measure in MEASURES:
            yield _histogram(measure, total) if measure.bounds else _counter(measure, total)
        restarts = "Workers that died and were replaced."
        yield CounterMetricFamily(f"{PREFIX}worker_restarts", restarts, value=self._deaths())
        standings = self._standings()
        ready = sum(standing.ready for standing in standings)
        yield GaugeMetricFamily(f"{PREFIX}workers_ready", "Workers that answer.", value=ready)
        yield GaugeMetricFamily(f"{PREFIX}workers", "Workers that there should be.", value=len(standings))
        yield _memory(standings)


class _Everything(Collector):
    """What a registry asks for its families."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All families of this moment."""
        return self._families()


def _counter(measure: Measure, total: Words) -> Metric:
    family = CounterMetricFamily(PREFIX + measure.name, measure.told, labels=measure.labels)
    for child in measure.children:
        value = total[PLACES[measure.name, *child]]
        if value or not child:
            family.add_metric(child, float(value))
    return family


def _histogram(measure: Measure, total: Words) -> Metric:
    family = HistogramMetricFamily(PREFIX + measure.name, measure.told, labels=measure.labels)
    for child in measure.children:
        first = PLACES[measure.name, *child]
        words = total[first : first + measure.width].tolist()
        counts = list(accumulate(words[:-1]))
        if counts[-1] or not child:
            bounds = [*map(str, measure.bounds), "+Inf"]
            family.add_metric(child, list(zip(bounds, counts, strict=True)), words[-1])
    return family


def _memory(standings: Iterable[Standing]) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}process_memory_bytes",
        "Memory of a process: resident, its share of what is mapped by many (proportional), written by it alone.",
        labels=("process", "kind"),
    )
    processes = [("supervisor", os.getpid())]
    processes += [(f"worker-{each.number}", each.pid) for each in standings if each.pid is not None]
    for name, pid in processes:
        for kind, size in memory_of(pid).items():
            family.add_metric((name, kind), size)
    return family


def memory_of(pid: int) -> dict[str, int]:
    """Bytes of a process's memory by kind; empty where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    sizes = (line.split() for line in lines)
    return {_MEMORY[words[0][:-1]]: int(words[1]) * 1_024 for words in sizes if words[0][:-1] in _MEMORY}
