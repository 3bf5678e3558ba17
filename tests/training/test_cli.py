"""`windowshop train` and `windowshop evaluate`, run as a user runs them but for the process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recommender.bundle import current_version, list_versions
from recommender.cli import main
from recommender.logs import LoggedRow
from tests.training.small_log import START_MS, small_rows, write_small_log
from training.inputs import InputPaths

CONFIG = """
[train]
als_iterations = 3
content_dim = 8
window = "10d"
threads = 1
gate = false
sources = ["cooccurrence", "content", "popularity_recent"]
[train.shapes.als]
factors = 8
[evaluate]
resamples = 200
"""


class Shell:
    """Runs `windowshop` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The outcome with exit code, stdout and stderr."""
        self._monkeypatch.setattr(sys, "argv", ["windowshop", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = self._capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, int(str(code)), out, err)

    def refuse(self, *arguments: object, words: str) -> None:
        """The command ends with 2 and one sentence that has these words."""
        outcome = self.run(*arguments)
        assert outcome.returncode == 2, outcome.stderr
        assert words in outcome.stderr.rstrip("\n").splitlines()[-1]
        assert "Traceback" not in outcome.stderr


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> InputPaths:
    """The small log, one row of which has an impossible time."""
    bad = LoggedRow("u0", "i0", "view", -5)
    return write_small_log(tmp_path_factory.mktemp("log"), [*small_rows(), bad])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(CONFIG)
    return path


def test_training_publishes_a_model_and_says_what_it_read(
    shell: Shell, log: InputPaths, config: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    flags = ("--events", log.events, "--items", log.items, "--models", models, "--config", config)
    outcome = shell.run("train", *flags)
    assert outcome.returncode == 0, outcome.stderr
    version = current_version(models)
    assert f"published {version}" in outcome.stdout
    assert "time_before_1970: 1" in outcome.stdout
    assert "items: 91 of 91 rows accepted" in outcome.stdout
    assert "read: done in" in outcome.stdout + outcome.stderr
    # What looks back from another moment is another version.
    again = shell.run("train", *flags, "--now", _iso(START_MS // 1_000 + 50 * 86_400))
    assert again.returncode == 0, again.stderr
    assert len(list_versions(models)) == 2


def test_evaluation_writes_the_report_with_its_plot_and_prints_the_table(
    shell: Shell, log: InputPaths, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "reports" / "first.json"
    outcome = shell.run(
        "evaluate", "--events", log.events, "--items", log.items, "--holdout", "10d", "--k", "20,5,5", "--out", out,
        "--slate-curve", "--ablate", "refitting",
        "--config", config,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert {
        "protocol", "users", "leaks", "models", "paired", "segments", "stages", "importance", "chances", "slates",
        "ablation",
    } == report.keys()  # fmt: skip
    assert out.with_suffix(".chances.png").exists()
    assert out.with_suffix(".slates.png").exists()
    assert report["protocol"]["k"] == [5, 20]
    assert report["protocol"]["holdout_seconds"] == 864_000
    assert {"windowshop", "random", "popularity", "cooccurrence", "content"} <= report["models"].keys()
    assert {f"windowshop-{name}" for name in report["models"]} - {"windowshop-windowshop"} == report["paired"].keys()
    assert {"recall@5", "ndcg@20", "hit_rate@20", "mrr", "coverage@5", "fit_seconds"} <= report["models"][
        "windowshop"
    ].keys()
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert out.with_suffix(".html").read_text().startswith("<!doctype html>")
    assert "windowshop" in outcome.stdout
    assert "By ndcg@20, windowshop" in outcome.stdout
    assert str(out) in outcome.stdout.replace("\n", "")
    assert "history_length, ndcg@20" in outcome.stdout
    assert "ablation: each row minus windowshop" in outcome.stdout
    assert "What each part is worth" in out.with_suffix(".html").read_text()
    again = shell.run("evaluate", "--compare", out, out, "--out", tmp_path / "change.json")
    assert again.returncode == 0, again.stderr
    assert "Every figure is what it was." in again.stdout
    assert {one["verdict"] for one in json.loads((tmp_path / "change.json").read_text())["metrics"]} == {"equal"}
    shell.refuse("evaluate", "--compare", out, out.with_suffix(".png"), words="cannot read the report")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--holdout", "two weeks"], "14d"),
        (["--holdout", "0d"], "above 0"),
        (["--holdout", "10d", "--budget", "soon"], "--budget 'soon' is not a duration; write 90s"),
        (["--holdout", "400d"], "hold out less"),
        (["--holdout", "14d", "--test", "nowhere.parquet"], "either --test FILE or --holdout"),
        ([], "either --test FILE or --holdout"),
        (["--holdout", "10d", "--cuts", "0"], "--cuts 0"),
        (["--holdout", "10d", "--seeds", "99"], "--seeds 99"),
        (["--holdout", "10d", "--ablate", "inputs,rain"], "--ablate names 'rain'"),
        (["--holdout", "10d", "--k", "10,0"], "10,20,50"),
        (["--holdout", "10d", "--k", "ten"], "10,20,50"),
        (["--holdout", "10d", "--target", "bought"], "--target"),
        (["--test", "nowhere.parquet"], "nowhere.parquet"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused_and_leaves_nothing(
    shell: Shell, log: InputPaths, tmp_path: Path, flags: list[str], words: str
) -> None:
    out = tmp_path / "report.json"
    shell.refuse("evaluate", "--events", log.events, "--out", out, *flags, words=words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--now", "yesterday"], "ISO-8601"),
        (["--now", "2999-01-01"], "future"),
        (["--now", "1999-01-01"], "the log begins later"),
        (["--items", "items.parquet", "--items-as-of", "noon"], "--items-as-of 'noon' is not an ISO-8601"),
        (["--items", "items.parquet", "--items-as-of", "2999-01-01"], "future"),
        (["--items-as-of", "2024-01-01"], "name that file too"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--items", "nowhere.parquet"], "nowhere.parquet"),
    ],
)
def test_a_training_that_cannot_be_is_refused_and_publishes_nothing(
    shell: Shell, log: InputPaths, tmp_path: Path, flags: list[str], words: str
) -> None:
    models = tmp_path / "models"
    shell.refuse("train", "--events", log.events, "--models", models, *flags, words=words)
    assert not models.exists() or list_versions(models) == []


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_names_every_flag_of_the_contract(shell: Shell, command: str) -> None:
    flags = {
        "train": ["--events", "--items", "--users", "--edges", "--erased", "--models", "--config", "--now"],
        "evaluate": [
            "--events", "--items", "--users", "--edges", "--erased", "--test", "--holdout", "--target", "--k",
            "--novel-only", "--cold", "--baselines", "--out", "--config", "--cuts", "--seeds", "--compare",
        ],
    }  # fmt: skip
    outcome = shell.run(command, "--help")
    assert outcome.returncode == 0
    assert not [flag for flag in flags[command] if flag not in outcome.stdout]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
