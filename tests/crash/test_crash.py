from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.rounds import Crashes


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_doubled_or_half_written_whoever_is_killed(tmp_path: Path) -> None:
    report = Crashes(tmp_path, seed=7).run(10, print)
    assert report.good, report.text()
    assert min(report.acknowledged, report.hides, report.items_sent, report.rulings) > 0
    assert min(report.looks.items, report.looks.hides) > 0
    assert report.rounds == 10
