"""Stages that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.stages import StageStore, content_key


def _nothing(place: Path) -> None:
    """A stage without files."""
    assert place.is_dir()


def test_a_finished_stage_is_not_built_again(tmp_path: Path) -> None:
    built = []

    def build(place: Path) -> None:
        built.append(place)
        (place / "result").write_text("42")

    first = StageStore(tmp_path).run("fit", "k", build)
    second = StageStore(tmp_path).run("fit", "k", build)
    assert len(built) == 1
    assert first == second
    assert (second / "result").read_text() == "42"


def test_another_key_is_another_stage(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    assert store.run("fit", "a", _nothing) != store.run("fit", "b", _nothing)


def test_a_stage_that_fails_leaves_nothing_that_could_be_taken_for_it(tmp_path: Path) -> None:
    def fail(place: Path) -> None:
        (place / "half").write_text("half")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        StageStore(tmp_path).run("fit", "k", fail)
    done = StageStore(tmp_path).run("fit", "k", _nothing)
    assert list(done.iterdir()) == []


def test_sweeping_removes_what_this_run_did_not_use(tmp_path: Path) -> None:
    StageStore(tmp_path).run("fit", "old", _nothing)
    (tmp_path / ".fit-k.1").mkdir()
    store = StageStore(tmp_path)
    kept = store.run("fit", "new", _nothing)
    store.sweep()
    assert list(tmp_path.iterdir()) == [kept]


def test_keys_depend_on_every_part_and_on_nothing_else() -> None:
    assert content_key({"a": 1, "b": 2}, None) == content_key({"b": 2, "a": 1}, None)
    assert content_key({"a": 1}) != content_key({"a": 2})
