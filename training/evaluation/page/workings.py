"""How a report came about: what the ranker reads, known leaks, time and memory, protocol and configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from training.evaluation.leaks import KNOWN_LEAKS
from training.evaluation.page.forest import bars
from training.evaluation.page.markup import Markup, Section, details, joined, paragraph, tag
from training.evaluation.report import Report
from training.evaluation.terms import days

_MOST_BARS: Final = 20
#: Terms that are told in full below the others.
_LONG: Final = ("config", "sources", "ranker", "folds", "libraries", "counts")


def importance_section(report: Report) -> Section | None:
    """What the ranker reads, the most weighty input first."""
    found: Mapping[str, Mapping[str, float]] = report.further.get("importance") or {}
    parts: list[Markup] = []
    for ranker, weights in found.items():
        total = sum(weights.values()) or 1.0
        ordered = sorted(weights.items(), key=lambda pair: -pair[1])
        rows = [(name, value, f"{100 * value / total:.1f} %") for name, value in ordered]
        parts += [tag("h3", ranker), bars(rows[:_MOST_BARS])]
        if rows[_MOST_BARS:]:
            parts.append(details(f"{len(rows) - _MOST_BARS} further inputs", bars(rows[_MOST_BARS:])))
    if not parts:
        return None
    how = "Shares of what the ranker's inputs lower of its loss, on the newest cut. Inputs that say the same share it."
    return Section("importance", "What the ranker reads", joined([paragraph(how, "soft"), *parts]))


def leaks_section(report: Report) -> Section:
    """What the split lets models see that they could not have seen."""
    found = [joined([tag("b", name), f": {KNOWN_LEAKS.get(name, '')}."]) for name in report.leaks]
    removed = report.protocol.get("removed_targets")
    if removed:
        found.append(joined([f"{removed:,} targets were taken out, since the user had touched the item before."]))
    body = tag("ul", *(tag("li", told) for told in found)) if found else paragraph("None of those that are known.")
    return Section("leaks", "Known leaks", body)


def stages_section(report: Report) -> Section | None:
    """Time and memory of every stage, the longest first."""
    stages: dict[str, Any] = dict(report.further.get("stages", {}))
    whole = stages.pop("all", None)
    if whole is None:
        return None
    ordered = sorted(stages.items(), key=lambda pair: -pair[1]["seconds"])
    rows = [(name, one["seconds"], f"{_seconds(one['seconds'])}, {_bytes(one['peak_bytes'])}") for name, one in ordered]
    told = (
        f"{_seconds(whole['seconds'])} in all, {_seconds(whole['cpu_seconds'])} of CPU time, at most "
        f"{_bytes(whole['peak_bytes'])} resident. Each stage with the most memory that the process held meanwhile."
    )
    parts = [paragraph(told, "soft"), bars(rows[:_MOST_BARS])]
    if rows[_MOST_BARS:]:
        parts.append(details(f"{len(rows) - _MOST_BARS} further stages", bars(rows[_MOST_BARS:])))
    return Section("stages", "Time and memory", joined(parts))


def terms_section(report: Report) -> Section:
    """Protocol, counts and configuration: all that a figure depends on."""
    terms = dict(report.protocol)
    long = {name: terms.pop(name) for name in _LONG if name in terms}
    if terms.get("window_ms"):
        terms["test days"] = days(terms.pop("window_ms"))
    scored = terms.pop("scored", {})
    terms |= {f"scored {name}": value for name, value in scored.items()}
    counts = long.pop("counts", {})
    parts = [_terms(terms), tag("h3", "counts"), _terms(counts)]
    parts += [details(name, tag("pre", json.dumps(value, indent=1))) for name, value in long.items()]
    return Section("terms", "How it was done", joined(parts))


def _terms(values: Mapping[str, Any]) -> Markup:
    rows = [
        tag("tr", tag("th", name.replace("_", " "), scope="row"), tag("td", _told(value)))
        for name, value in values.items()
    ]
    return tag("table", tag("tbody", *rows), class_="plain terms")


def _told(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:,.1f} min" if seconds >= 120 else f"{seconds:,.1f} s"


def _bytes(size: float) -> str:
    return f"{size / 2**30:.2f} GB" if size >= 2**30 else f"{size / 2**20:,.0f} MB"
