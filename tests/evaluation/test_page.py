"""The page of a report: whole, self-contained, and hostile to nobody who opens it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.errors import ConfigurationError
from tests.evaluation.test_pool import PROTOCOL, ids, outcome_of
from training.evaluation.grouping import Grouping
from training.evaluation.page import write_page
from training.evaluation.page.document import page
from training.evaluation.page.forest import Axis, Mark
from training.evaluation.report import Report
from training.evaluation.summary import summary
from training.evaluation.table import verdict

VOID = {"meta", "input"}
OWN = np.random.default_rng(6).random(90)
HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Reads a page, and fails where tags do not close in the order in which they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def ids(self) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get("id"))]


def report_of(*, cuts: int = 1, label: str = "even", **protocol: Any) -> Report:
    outcomes = [outcome_of(ids(90), OWN.tolist(), cut=cut) for cut in range(cuts)]
    named = Grouping("user.country", "users", (label, "other"), np.arange(90) % 2, ordered=False)
    outcomes = [replace(outcome, groupings=[*outcome.groupings, named]) for outcome in outcomes]
    window = list(outcomes[0].window_ms or ())
    report, _ = summary(PROTOCOL | {"window_ms": window, "cuts": cuts} | protocol, outcomes, ("own_future",))
    report.further["stages"] = {
        "fit all als": {"seconds": 200.0, "peak_bytes": 3 << 30},
        "all": {"seconds": 240.0, "cpu_seconds": 300.0, "peak_bytes": 3 << 30},
    }
    report.further["importance"] = {"trees": {"als.score": 3.0, "popularity": 1.0}}
    return report


def test_the_page_holds_everything_that_the_report_knows() -> None:
    report = report_of(cuts=2, config={"train": {"teaching_windows": 128}}, config_hash="c0ffee")
    shown = Page(page(report))
    for sentence in verdict(report):
        assert sentence in shown.text
    for told in (
        *report.models, "country", "c0ffee", "128", "als.score", "75.0 %", "own_future", "fit all als", "3.3 min",
        "3.00 GB", "1970-04-11 to 1970-04-20", "1970-04-01 to 1970-04-10",
    ):  # fmt: skip
        assert told in shown.text
    assert {"models", "segments", "runs", "importance", "leaks", "stages", "terms"} <= set(shown.ids())


def test_the_page_needs_nothing_beside_it() -> None:
    text = page(report_of())
    shown = Page(text)
    names = {name for name, _ in shown.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert "http" not in text
    assert "url(" not in text
    assert len(shown.ids()) == len(set(shown.ids()))
    links = {str(attributes["href"]) for name, attributes in shown.tags if name == "a"}
    assert links == {f"#{anchor}" for anchor in ("models", "segments", "importance", "leaks", "stages", "terms")}


def test_probabilities_are_shown_beside_what_came_where_they_were_measured() -> None:
    report = report_of()
    tenths = [{"candidates": 1_500, "predicted": 0.004, "observed": 0.005, "ci95": [0.003, 0.007]}]
    parts = {"candidates": {"deciles": tenths}, "first_20": {"deciles": []}}
    report.further["chances"] = {"users": 321, "horizon_days": 14.0, "observed_days": 14.0, **parts}
    shown = Page(page(report))
    for told in ("321 visitors within 14.0 days", "1,500", "0.0040", "0.0050 (0.0030 - 0.0070)", "+25.0 %"):
        assert told in shown.text
    report.further["chances"] = {"none": "no holdout"}
    assert "probabilities" not in Page(page(report)).ids()


def test_what_a_log_holds_is_text_and_never_markup() -> None:
    text = page(report_of(label=HOSTILE, target=HOSTILE, config={"train": {HOSTILE: 1}}))
    shown = Page(text)
    assert "script" not in {name for name, _ in shown.tags}
    assert shown.text.count("alert(") >= 3


def test_a_report_of_one_model_without_the_pipeline_has_a_page_too(tmp_path: Path) -> None:
    outcome = outcome_of(ids(30), OWN[:30].tolist())
    outcome = replace(outcome, measured={"als": outcome.measured["als"]}, target_hits={"als": OWN[:30]})
    report, _ = summary(PROTOCOL, [outcome], ())
    write_page(report, tmp_path / "report.html")
    shown = Page((tmp_path / "report.html").read_text())
    assert "None of those that are known." in shown.text
    assert "runs" not in shown.ids()
    with pytest.raises(ConfigurationError, match="another --out"):
        write_page(report, tmp_path / "nowhere" / "report.html")


def mark(low: float, mean: float, high: float) -> Mark:
    return Mark(low, mean, high, "own", "")


@pytest.mark.parametrize(
    ("marks", "percent", "zero"),
    [
        ([mark(0.2, 0.25, 0.3)], False, False),
        ([mark(0.0, 0.0, 0.0)], False, False),
        ([mark(-0.05, -0.02, 0.01), mark(2.0, 4.0, 9.0)], True, True),
        ([mark(3.0, 4.0, 9.0)], True, True),
        ([], False, False),
    ],
)
def test_an_axis_holds_its_marks_and_has_round_ticks_whatever_they_are(
    marks: list[Mark], percent: bool, zero: bool
) -> None:
    axis = Axis.over(marks, percent=percent, zero=zero, most=0.5)
    assert axis.low < axis.high
    assert all(axis.low <= mark.low and mark.high <= axis.high for mark in marks if mark.high <= 0.5)
    assert 2 <= len(axis.ticks()) <= 12
    assert not zero or axis.low < 0 < axis.high
    assert axis.place(axis.high + 1) == 100
    assert all(len(axis.label(tick)) <= 8 for tick in axis.ticks())
