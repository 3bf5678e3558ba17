from __future__ import annotations

import threading
from pathlib import Path

import pytest

from recommender.errors import StateError
from recommender.state.sqlite.signing import KEY_BYTES, MAX_EARLIER, load_keys, rotate_state_keys


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    (key,) = load_keys(path)
    assert len(key) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path) == (key,) == (path.read_bytes(),)
    assert [entry.name for entry in tmp_path.iterdir()] == ["signing.key"]
    assert load_keys(tmp_path / "other.key") != (key,)


def test_all_who_ask_for_the_first_key_at_once_get_the_same(tmp_path: Path) -> None:
    for n in range(20):
        barrier = threading.Barrier(6)
        keys: list[tuple[bytes, ...]] = []

        def ask(path: Path, barrier: threading.Barrier, keys: list[tuple[bytes, ...]]) -> None:
            barrier.wait()
            keys.append(load_keys(path))

        callers = [threading.Thread(target=ask, args=(tmp_path / f"{n}.key", barrier, keys)) for _ in range(6)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len(keys) == 6
        assert len(set(keys)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_may_know_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.key"
    load_keys(path)
    path.chmod(mode)
    with pytest.raises(StateError, match=f"mode {mode:04o}, wanted 0600.*Delete it"):
        load_keys(path)


@pytest.mark.parametrize("content", [b"", b"short", bytes(33), bytes(63), bytes(KEY_BYTES * (MAX_EARLIER + 2))])
def test_a_key_of_another_length_is_refused_and_its_content_not_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StateError, match="damaged") as caught:
        load_keys(path)
    assert "short" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"signing\.key"):
        load_keys(tmp_path / "missing" / "signing.key")


def test_a_new_key_stands_before_the_latest_three_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    seen = list(load_keys(path))
    for n in range(5):
        assert rotate_state_keys(tmp_path, drop_earlier=False) == min(n + 2, 1 + MAX_EARLIER)
        newest, *earlier = load_keys(path)
        assert newest not in seen
        assert earlier == seen[:MAX_EARLIER]
        seen.insert(0, newest)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["signing.key"]


def test_earlier_keys_are_dropped_when_told_also_where_the_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    before = load_keys(path)
    assert rotate_state_keys(tmp_path, drop_earlier=True) == 1
    after = load_keys(path)
    assert (len(after), after != before) == (1, True)
    path.write_bytes(b"damaged")
    with pytest.raises(StateError, match="damaged"):
        rotate_state_keys(tmp_path, drop_earlier=False)
    assert path.read_bytes() == b"damaged"
    assert rotate_state_keys(tmp_path, drop_earlier=True) == 1


def test_a_folder_without_a_key_gets_none(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="windowshop serve --state"):
        rotate_state_keys(tmp_path, drop_earlier=False)
    assert list(tmp_path.iterdir()) == []
