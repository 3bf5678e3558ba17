from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import erased_hash, read_erased, write_erased
from tests.logs.samples import WRITERS, write_csv


def test_the_hash_is_blake2b_of_16_bytes_keyed_with_the_salt() -> None:
    expected = hashlib.blake2b("ü1".encode(), digest_size=16, key=b"salt").hexdigest()
    assert erased_hash("ü1", b"salt") == expected
    assert erased_hash("ü1", b"pepper") != expected


def test_erased_users_are_found_among_others_whatever_the_export_that_named_them(tmp_path: Path) -> None:
    write_erased(tmp_path / "1.parquet", ["u1", "u3"], b"salt one")
    write_erased(tmp_path / "2.parquet", iter(["u4", "u1"]), b"salt two")
    erased = read_erased(tmp_path)
    assert erased.mask(["u1", "u2", "u3", "u4", ""]).tolist() == [True, False, True, True, False]
    assert erased.mask([]).tolist() == []
    assert len(erased) == 4


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_erased_users_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"erased{suffix}", [{"user_hash": erased_hash("u1", b"s").upper(), "salt": b"s".hex()}])
    assert read_erased(tmp_path / f"erased{suffix}").mask(["u1", "u2"]).tolist() == [True, False]


def test_nobody_erased_is_fine(tmp_path: Path) -> None:
    assert write_erased(tmp_path / "erased.parquet", [], b"salt") == 0
    assert not read_erased(tmp_path / "erased.parquet").mask(["u1"]).any()


@pytest.mark.parametrize(
    ("user_hash", "salt"),
    [("", "73"), (None, "73"), ("ab", "73"), ("g" * 32, "73"), ("0" * 32, ""), ("0" * 32, "7" * 130)],
)
def test_one_row_that_cannot_be_used_stops_the_run(tmp_path: Path, user_hash: str | None, salt: str) -> None:
    good = {"user_hash": erased_hash("u1", b"s"), "salt": b"s".hex()}
    write_csv(tmp_path / "erased.csv", [good] * 99 + [{"user_hash": user_hash, "salt": salt}])
    with pytest.raises(InputError, match="wanted 32 and 2 to 128 hex digits; write it anew with export-events"):
        read_erased(tmp_path / "erased.csv")


def test_a_line_that_cannot_be_read_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "erased.csv").write_text(f"user_hash,salt\n{erased_hash('u1', b's')},73\n73\n")
    with pytest.raises(InputError, match="1 lines cannot be read"):
        read_erased(tmp_path / "erased.csv")
