"""On what terms two reports were made: sentences on where protocol, data, configuration and code differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from training.evaluation.report import Report

_PROTOCOL: Final = (
    *("split", "holdout_seconds", "cuts", "train_seeds", "target", "novel_only", "cold", "k", "mode", "diversity"),
)
_COUNTS: Final = ("training_events", "test_events", "candidates", "targets")
_MISSING: Final = "not told"


def differing_terms(old: Report, new: Report) -> Iterator[str]:
    """One sentence for each kind of difference; none where the reports were made alike."""
    terms = _changed({name: (old.protocol.get(name), new.protocol.get(name)) for name in _PROTOCOL})
    if terms:
        yield f"The protocols differ, so the figures mean different things: {terms}."
    data = _changed(
        {
            "the test days": (_days(old), _days(new)),
            "users": (old.users, new.users),
            **{name.replace("_", " "): (_count(old, name), _count(new, name)) for name in _COUNTS},
            "the scored users and targets": (_fingerprint(old), _fingerprint(new)),
            "known leaks": (list(old.leaks), list(new.leaks)),
        }
    )
    if data:
        yield f"The data differ, so a change may be theirs: {data}."
    config = _changed(_side_by_side(_flat(old.protocol.get("config", {})), _flat(new.protocol.get("config", {}))))
    if config:
        yield f"The configurations differ: {config}."
    elif old.protocol.get("config_hash") != new.protocol.get("config_hash"):
        yield "The configurations differ; at least one report does not tell them."
    libraries = _changed(_side_by_side(old.protocol.get("libraries", {}), new.protocol.get("libraries", {})))
    if libraries:
        yield f"Code or libraries differ: {libraries}."


def days(window_ms: Sequence[int]) -> str:
    """The days of a span: `2017-12-19 to 2018-01-01`."""
    first, last = (datetime.fromtimestamp(moment / 1_000, UTC) for moment in (window_ms[0], window_ms[1] - 1))
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _changed(pairs: Mapping[str, tuple[Any, Any]]) -> str:
    return "; ".join(f"{name} was {_told(then)}, is {_told(now)}" for name, (then, now) in pairs.items() if then != now)


def _side_by_side(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (old.get(name), new.get(name)) for name in sorted({*old, *new})}


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """{`train.shapes.als.factors`: value}."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inside = isinstance(value, Mapping)
        found |= _flat(value, f"{path}{name}.") if inside else {f"{path}{name}": value}
    return found


def _told(value: Any) -> str:
    if value is None:
        return _MISSING
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _count(report: Report, name: str) -> Any:
    return report.protocol.get("counts", {}).get(name)


def _fingerprint(report: Report) -> Any:
    return report.protocol.get("scored", {}).get("fingerprint")


def _days(report: Report) -> str:
    window = report.protocol.get("window_ms")
    return "a test file" if window is None else days(window)
