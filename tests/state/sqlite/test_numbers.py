from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from recommender.state.sqlite import SqliteState
from recommender.state.sqlite import numbers as numbers_module

OpenState = Callable[[], SqliteState]
IDS = [f"item-{n}" for n in range(1_000)]


class Watched(Sequence[str]):
    """Ids that count how often they are looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def __len__(self) -> int:
        return len(IDS)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        self.looks += 1
        return IDS[row]

    def __iter__(self) -> Iterator[str]:
        self.looks += len(IDS)
        return iter(IDS)


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "numbers").iterdir())


def test_kept_numbers_are_mapped_and_hardly_an_id_is_looked_at(
    state: SqliteState, open_another: OpenState, folder: Path
) -> None:
    first = state.numbers.bundle_numbers("bundle", IDS)
    ids = Watched()
    again = open_another().numbers.bundle_numbers("bundle", ids)
    assert again.tolist() == first.tolist()
    assert ids.looks < 100
    assert [path.suffix for path in kept(folder)] == [".npy"]
    assert isinstance(again.base, np.memmap)


def test_known_ids_cost_no_transaction(state: SqliteState) -> None:
    state.numbers.numbers(IDS)
    before = state.transactions
    state.numbers.numbers(IDS)
    assert state.transactions == before


def test_many_new_ids_are_numbered_in_portions_that_others_can_wait_for(
    state: SqliteState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers_module, "_CHUNK", 100)
    before = state.transactions
    assert len(set(state.numbers.numbers(IDS).tolist())) == 1_000
    assert state.transactions - before == 10


@pytest.mark.parametrize("damage", ["cut", "text", "gone", "other type", "other length", "numbers never given"])
def test_a_damaged_array_is_made_anew(state: SqliteState, folder: Path, damage: str) -> None:
    wanted = state.numbers.bundle_numbers("bundle", IDS).tolist()
    path = kept(folder)[0]
    if damage == "cut":
        os.truncate(path, path.stat().st_size - 1)
    elif damage == "text":
        path.write_text("not an array")
    elif damage == "gone":
        path.unlink()
    else:
        arrays = {"other type": np.array(wanted, np.int32), "other length": np.array([*wanted, 1])}
        np.save(path, arrays.get(damage, np.zeros(1_000, np.int64)))
    again = state.numbers.bundle_numbers("bundle", IDS)
    assert again.tolist() == wanted
    assert again.dtype == np.int64
    assert [np.load(path).tolist() for path in kept(folder)] == [wanted]


def test_an_array_newer_than_a_restored_event_file_is_not_believed(
    state: SqliteState, folder: Path, tmp_path: Path, open_another: OpenState
) -> None:
    state.numbers.numbers(IDS[:-2])
    state.close()
    shutil.copy(folder / "events.db", tmp_path / "copy")
    later = open_another()
    # Two items get numbers that the copy knows nothing of; between them lies none that the spot checks look at.
    swapped = [*IDS[:500], IDS[-1], *IDS[500:-2], IDS[-2], IDS[0]]
    later.numbers.bundle_numbers("bundle", swapped)
    later.close()
    shutil.copy(tmp_path / "copy", folder / "events.db")
    restored = open_another()
    restored.numbers.numbers([IDS[-2], IDS[-1]])
    assert restored.numbers.bundle_numbers("bundle", swapped).tolist() == restored.numbers.numbers(swapped).tolist()


def test_the_array_of_a_bundle_may_be_replaced_while_another_maps_it(
    state: SqliteState, folder: Path, open_another: OpenState
) -> None:
    mapped = state.numbers.bundle_numbers("bundle", IDS)
    before = mapped.tolist()
    other = open_another().numbers.bundle_numbers("bundle", IDS[::-1])
    assert mapped.tolist() == before == other.tolist()[::-1]
    assert len(kept(folder)) == 1


def test_only_the_newest_bundles_are_kept(state: SqliteState, folder: Path) -> None:
    for n in range(12):
        state.numbers.bundle_numbers(f"bundle {n}", IDS[:10])
    assert len(kept(folder)) == 8


def test_without_a_place_to_keep_them_numbers_are_given_all_the_same(state: SqliteState, folder: Path) -> None:
    (folder / "numbers").rmdir()
    numbers = state.numbers.bundle_numbers("bundle", IDS)
    assert numbers.tolist() == state.numbers.numbers(IDS).tolist()
    assert not numbers.flags.writeable
