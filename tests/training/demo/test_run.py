from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from recommender.config import load_settings
from recommender.errors import ConfigurationError
from tests.training.demo.small import HOUSEHOLDS, needs_the_log, run_small_demo, small_settings
from training.demo.run import DemoRequest, run_demo, trained_on
from training.worlds.grocery import GroceryRequest, write_grocery

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60
STAYING = """
import sys
from pathlib import Path
from rich.console import Console
from tests.training.demo.small import HOUSEHOLDS, small_settings
from training.demo.run import DemoRequest, run_demo
run_demo(DemoRequest(Path(sys.argv[1]), households=HOUSEHOLDS), small_settings(), Console(width=160))
"""
TYPED = "import typer; from training.demo.command import demo; typer.run(demo)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    return run_small_demo(folder)


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A demo as a process group of its own, as a shell starts one."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"it ended with {process.wait()} before it said {words!r}")


@needs_the_log
def test_the_feeds_come_with_reasons_and_one_of_them_turns(printed: str) -> None:
    before, _, after = printed.partition("Newcomer buys")
    assert "trained in" in before
    assert before.count("Household") >= 2
    assert "popular now" in before.partition("Newcomer is here")[2]
    assert "you bought" not in before.partition("Newcomer is here")[2]
    assert "new" in after
    assert "you bought" in after
    assert " 0 of 12 cards are new" not in after.replace("\n", " ")


@needs_the_log
def test_a_second_run_reuses_world_and_model_and_begins_alike(folder: Path, printed: str) -> None:
    again = run_small_demo(folder)
    assert "is not trained anew" in again
    assert "trained in" not in again
    assert again.partition("\nHousehold")[2] == printed.partition("\nHousehold")[2]


@needs_the_log
def test_other_settings_other_code_or_another_world_are_trained_anew(
    folder: Path, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = GroceryRequest(shift_to_ms=None, in_shop=True, households=HOUSEHOLDS)
    other = write_grocery(tmp_path / "unshifted", request)
    assert trained_on(other, folder / "models", small_settings()) is None
    end_ms = json.loads((folder / "grocery" / "world.json").read_text(encoding="utf-8"))["world"]["end_ms"]
    same = write_grocery(folder / "grocery", GroceryRequest(end_ms, in_shop=True, households=HOUSEHOLDS))
    assert trained_on(same, folder / "models", small_settings()) is not None
    assert trained_on(same, folder / "models", load_settings()) is None
    monkeypatch.setattr("training.demo.run.libraries", dict)
    assert trained_on(same, folder / "models", small_settings()) is None


@needs_the_log
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_signal_ends_a_staying_demo_and_leaves_no_process(
    folder: Path, printed: str, number: signal.Signals, code: int
) -> None:
    with started(STAYING, str(folder)) as process:
        read_until(process, "The server stays up")
        below = psutil.Process(process.pid).children(recursive=True)
        assert below
        # Ctrl-C reaches the server too, for it reaches all of the terminal's group; SIGTERM is meant for one process.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == code
    assert not psutil.wait_procs(below, timeout=10)[1]


@needs_the_log
def test_ctrl_c_before_all_is_printed_is_130_and_leaves_the_folder_usable(tmp_path: Path) -> None:
    with started(TYPED, "--folder", str(tmp_path / "demo")) as process:
        read_until(process, "write the world: started")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 130
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["lock"]


@needs_the_log
def test_two_demos_in_one_folder_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another demo runs"):
            run_small_demo(tmp_path)


def test_a_world_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no world 'boutique' yet, wanted grocery"):
        run_demo(DemoRequest(tmp_path / "demo", world="boutique"), load_settings(), console=None)  # type: ignore[arg-type]
    assert not (tmp_path / "demo").exists()


@needs_the_log
def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="--folder"):
        run_small_demo(tmp_path / "file" / "demo")
