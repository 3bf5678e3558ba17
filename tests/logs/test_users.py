from __future__ import annotations

from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import read_users
from tests.logs.samples import WRITERS, Row, write_csv


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_users_and_all_their_columns_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    rows: list[Row] = [
        {"user_id": "u2", "country": "DE", "age_band": "30-39"},
        {"user_id": "u1", "country": None, "age_band": "60+"},
    ]
    WRITERS[suffix](tmp_path / f"users{suffix}", rows)
    table = read_users(tmp_path / f"users{suffix}", rejects_dir=None)
    assert table.user_ids == ["u1", "u2"]
    assert dict(sorted(table.attributes.items())) == {"age_band": ["60+", "30-39"], "country": [None, "DE"]}
    assert len(table) == 2


def test_users_without_an_id_are_rejected_and_the_last_row_of_one_counts(tmp_path: Path) -> None:
    rows = [{"user_id": "u1", "city": "Ulm"}, {"user_id": "", "city": "Bonn"}, {"user_id": "u1", "city": "Kiel"}]
    write_csv(tmp_path / "users.csv", rows)
    table = read_users(tmp_path / "users.csv", rejects_dir=tmp_path, max_reject_rate=0.5)
    assert table.attributes == {"city": ["Kiel"]}
    assert (table.report.rejected, table.report.duplicates) == ({"missing_user_id": 1}, 1)
    assert (tmp_path / "users.rejects.jsonl").exists()


def test_a_users_file_needs_ids(tmp_path: Path) -> None:
    write_csv(tmp_path / "users.csv", [{"household_id": "1"}])
    with pytest.raises(InputError, match="no column 'user_id', it has 'household_id'; users need the columns user_id"):
        read_users(tmp_path / "users.csv", rejects_dir=None)
