from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import read_events
from recommender.logs.files import LogFormat, find_files
from tests.logs.samples import NOW, ROW, WRITERS, csv_text, rows, write_csv, write_parquet, write_zstd


def test_a_file_is_found_by_its_name(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [ROW])
    log = find_files(tmp_path / "log.csv", "events")
    assert (log.format, log.files) == (LogFormat.CSV, (tmp_path / "log.csv",))


def test_a_folder_gives_all_known_files_below_it_in_name_order(tmp_path: Path) -> None:
    names = ["b/2.csv", "a/9.csv", "a/10.csv", "c.csv"]
    for name in [*names, "notes.txt", "a/_SUCCESS", "a/.9.csv.crc", "_temporary/0.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_csv(tmp_path / name, [ROW])
    assert [str(f.relative_to(tmp_path)) for f in find_files(tmp_path, "events").files] == sorted(names)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("*.csv", ["1.csv", "2.csv"]), ("**/*.csv", ["1.csv", "2.csv", "sub/3.csv"]), ("[2-9].csv", ["2.csv"])],
)
def test_a_glob_gives_what_it_matches(tmp_path: Path, pattern: str, found: list[str]) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("1.csv", "2.csv", "sub/3.csv"):
        write_csv(tmp_path / name, [ROW])
    log = find_files(str(tmp_path / pattern), "events")
    assert [str(file.relative_to(tmp_path)) for file in log.files] == found


def test_a_relative_glob_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "1.csv", [ROW])
    assert find_files("*.csv", "events").files == (Path("1.csv"),)


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "log[1].csv", [ROW])
    assert find_files(tmp_path / "log[1].csv", "events").files == (tmp_path / "log[1].csv",)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [ROW])
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert find_files(tmp_path, "events").files == (tmp_path / "log.csv",)


def test_a_file_that_links_to_itself_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.csv").symlink_to(tmp_path / "log.csv")
    with pytest.raises(InputError, match=r"events .*log\.csv: cannot be opened"):
        find_files(tmp_path / "log.csv", "events")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused_by_name(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [ROW])
    (tmp_path / "log.csv").chmod(0)
    with pytest.raises(InputError, match=r"log\.csv: cannot be opened: Permission denied"):
        find_files(tmp_path / "log.csv", "events")


def test_formats_are_not_mixed(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [ROW])
    write_parquet(tmp_path / "b.parquet", [ROW])
    with pytest.raises(InputError, match=r"mixes CSV \(a\.csv\), Parquet \(b\.parquet\); give one format at a time"):
        find_files(tmp_path, "events")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.csv", "no such file or folder"),
        ("missing/*.csv", "no file matches the pattern"),
        ("empty", "a folder without files"),
        ("texts", "none of its 1 files can be read by its name; wanted .parquet, or .csv"),
        ("texts/log.txt", "none of its 1 files can be read by its name"),
    ],
)
def test_nothing_to_read_is_said_plainly(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "log.txt").write_text("hello")
    with pytest.raises(InputError) as caught:
        find_files(tmp_path / name, "events")
    assert str(caught.value).startswith(f"events {tmp_path / name}: {sentence}")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("log.parquet", b"", "is empty (0 bytes)"),
        ("log.csv", b"", "is empty (0 bytes)"),
        ("log.parquet", b"user_id,item_id\n", "is not Parquet: it begins with the bytes 75 73 65 72"),
        ("log.parquet", b"PAR1" + b"\0" * 100, "is a Parquet file that was cut off"),
        ("log.parquet", b"PAR1", "is a Parquet file that was cut off"),
        ("log.csv", b"PAR1....PAR1", "is not CSV in UTF-8: it begins with the bytes 50 41 52 31"),
        ("log.csv", gzip.compress(b"a,b\n", mtime=0), "is not CSV in UTF-8: it begins with the bytes 1f 8b"),
        ("log.csv", "user_id\n".encode("utf-16"), "is not CSV in UTF-8: it begins with the bytes ff fe"),
        ("log.csv.gz", b"user_id,item_id\n", "is named .gz but does not begin as such a file"),
        ("log.jsonl.zst", b"{}\n", "is named .zst but does not begin as such a file"),
        ("log.csv.gz", gzip.compress(b"", mtime=0), "holds nothing once unpacked"),
        ("log.csv.gz", gzip.compress(b"user_id", mtime=0)[:10], "is damaged or was cut off"),
    ],
)
def test_a_file_is_what_its_name_says(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        find_files(tmp_path / name, "events")
    assert str(caught.value).startswith(f"events {tmp_path / name}: {sentence}")


def test_a_zstd_file_that_was_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.csv.zst"
    write_zstd(whole, csv_text(rows(20)))
    content = whole.read_bytes()
    assert find_files(whole, "events").files == (whole,)
    for length in range(4, len(content)):
        cut = tmp_path / "cut.csv.zst"
        cut.write_bytes(content[:length])
        with pytest.raises(InputError, match="is damaged or was cut off"):
            find_files(cut, "events")


def test_zstd_frames_one_after_another_and_skippable_ones_are_whole(tmp_path: Path) -> None:
    write_zstd(tmp_path / "one.csv.zst", csv_text(rows(20)))
    frame = (tmp_path / "one.csv.zst").read_bytes()
    skippable = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    (tmp_path / "log.csv.zst").write_bytes(frame + skippable + frame)
    assert find_files(tmp_path / "log.csv.zst", "events").files


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(tmp_path / "log.csv", [ROW])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="events: an empty path; name a file, a folder or a glob"):
        find_files("", "events")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    WRITERS[suffix](path, rows(5))

    def write_more(_: float) -> None:
        WRITERS[suffix](path, rows(9))

    with pytest.raises(InputError, match=rf"log{suffix}: changed while it was read; wait for its writer"):
        read_events(path, rejects_dir=None, now_ms=NOW, progress=write_more)


def test_parquet_within_gzip_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "log.parquet.gz").write_bytes(gzip.compress(b"PAR1"))
    with pytest.raises(InputError, match=r"wanted \.parquet, or \.csv"):
        find_files(tmp_path / "log.parquet.gz", "events")
