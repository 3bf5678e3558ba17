from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from recommender.bundle import activate, current_version, live, previous_version, roll_back
from recommender.bundle.live import ACTIVATIONS_NAME, locked
from recommender.bundle.runs import read_runs, remove_old_runs, write_run
from recommender.errors import BundleError

VERSIONS = ("a", "b", "c", "d")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in VERSIONS:
        make_version(tmp_path, version)
    return tmp_path


def make_version(models: Path, version: str) -> None:
    (models / version).mkdir(parents=True)
    (models / version / "manifest.json").touch()


def test_the_first_version_has_none_before_it(models: Path) -> None:
    assert previous_version(models) is None
    activate(models, "a")
    assert (current_version(models), previous_version(models)) == ("a", None)


def test_rolling_back_goes_one_activation_further_each_time(models: Path) -> None:
    for version in ("a", "b", "c"):
        activate(models, version)
    back = []
    while (before := previous_version(models)) is not None:
        roll_back(models, before)
        assert current_version(models) == before
        back.append(before)
    assert back == ["b", "a"]


def test_after_a_rollback_another_activation_goes_on_from_there(models: Path) -> None:
    for version in ("a", "b", "c"):
        activate(models, version)
    roll_back(models, "b")
    activate(models, "d")
    assert previous_version(models) == "b"


def test_activating_what_is_live_changes_nothing(models: Path) -> None:
    activate(models, "a")
    activate(models, "b")
    activate(models, "b")
    assert previous_version(models) == "a"


def test_a_version_that_is_gone_is_passed_over_and_cannot_become_live(models: Path) -> None:
    for version in ("a", "b", "c"):
        activate(models, version)
    (models / "b").rename(models / ".gone")
    assert previous_version(models) == "a"
    with pytest.raises(BundleError, match="no version 'b' any more"):
        activate(models, "b")
    assert current_version(models) == "c"


@pytest.mark.parametrize(("written", "previous"), [("a", None), ("b", "a"), ("d", "c")])
def test_an_edit_by_hand_is_a_rollback_or_an_activation(models: Path, written: str, previous: str | None) -> None:
    for version in ("a", "b", "c"):
        activate(models, version)
    (models / "current").write_text(written, encoding="utf-8")
    assert previous_version(models) == previous
    activate(models, "c")
    assert previous_version(models) == written


@pytest.mark.parametrize("change", ["activate", "roll_back"])
@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_crash_between_the_renames_leaves_a_way_back_that_is_right(
    models: Path, monkeypatch: pytest.MonkeyPatch, change: str, killed_at: int
) -> None:
    for version in ("a", "b", "c"):
        activate(models, version)
    renames = 0
    rename = Path.rename

    def dying(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == killed_at:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying)
        with pytest.raises(KeyboardInterrupt):
            activate(models, "d") if change == "activate" else roll_back(models, "b")
    moved = change == "roll_back" and killed_at == 2
    assert current_version(models) == ("b" if moved else "c")
    assert previous_version(models) == ("a" if moved else "b")


def test_who_changes_what_is_live_waits_for_the_others_but_not_for_ever(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(models, "a")
    waiting = threading.Thread(target=activate, args=(models, "b"))
    with locked(models):
        waiting.start()
        waiting.join(0.05)
        assert current_version(models) == "a"
    waiting.join()
    assert current_version(models) == "b"
    monkeypatch.setattr(live, "LOCK_SECONDS", 0.02)
    with locked(models), pytest.raises(BundleError, match="another process has been changing"):
        activate(models, "a")


def test_a_folder_that_cannot_be_written_keeps_what_is_live(models: Path) -> None:
    activate(models, "a")
    (models / ACTIVATIONS_NAME).unlink(missing_ok=True)
    (models / ACTIVATIONS_NAME).mkdir()
    with pytest.raises(BundleError, match="cannot make b live"):
        activate(models, "b")
    assert current_version(models) == "a"


class Going(RuleBasedStateMachine):
    """Activations and rollbacks against a plain stack."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.models = Path(self.folder.name)
        for version in VERSIONS:
            make_version(self.models, version)
        self.stack: list[str] = []

    @rule(version=st.sampled_from(VERSIONS))
    def activates(self, version: str) -> None:
        activate(self.models, version)
        if self.stack[-1:] != [version]:
            self.stack.append(version)

    @rule()
    def rolls_back(self) -> None:
        version = previous_version(self.models)
        assert version == (self.stack[-2] if len(self.stack) > 1 else None)
        if version is not None:
            roll_back(self.models, version)
            self.stack.pop()

    @invariant()
    def the_top_is_live(self) -> None:
        assert current_version(self.models) == (self.stack[-1] if self.stack else None)

    def teardown(self) -> None:
        self.folder.cleanup()


TestGoing = Going.TestCase


def test_the_run_of_each_version_is_kept_and_the_latest_beside(tmp_path: Path) -> None:
    gate = {
        "live": "a",
        "users": 9,
        "new_ndcg": 0.1,
        "live_ndcg": 0.2,
        "difference": -0.1,
        "lower": -0.2,
        "upper": -0.1,
    }
    write_run(tmp_path, {"version": "a", "published": True, "gate": None, "seconds": {"read": 1.5}})
    write_run(tmp_path, {"version": "b", "published": False, "gate": {**gate, "refused": True}, "seconds": {}})
    runs = read_runs(tmp_path)
    assert runs["a"].seconds == {"read": 1.5}
    assert runs["b"].gate is not None
    assert runs["b"].gate.refused
    assert '"version": "b"' in (tmp_path / "run.json").read_text(encoding="utf-8")


@given(text=st.binary(max_size=40))
def test_a_run_that_cannot_be_read_is_left_out(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "runs").mkdir()
    (folder / "runs" / "a.json").write_bytes(text)
    assert read_runs(folder) == {}


def test_runs_of_versions_that_are_gone_are_kept_for_a_while(tmp_path: Path) -> None:
    for version in VERSIONS:
        write_run(tmp_path, {"version": version, "published": True, "gate": None})
    remove_old_runs(tmp_path, {"a"}, keep=1)
    assert set(read_runs(tmp_path)) == {"a", "d"}
