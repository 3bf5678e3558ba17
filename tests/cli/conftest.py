"""`windowshop` run as a user runs it, but within this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from recommender.cli import main
from tests.worlds import write_tiny_models


class Run(Protocol):
    """Runs `windowshop` with these arguments."""

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`windowshop` within this process, which spares most of a second each time."""

    def running(*arguments: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["windowshop", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, int(str(code)), out, err)

    return running


def refused(outcome: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """The command ended with the code and one sentence that has these words."""
    assert outcome.returncode == code, outcome.stderr
    sentence = outcome.stderr.rstrip("\n").splitlines()[-1]
    assert sentence.startswith("windowshop: ")
    for word in words:
        assert word in sentence
    assert "Traceback" not in outcome.stderr


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "models"
    write_tiny_models(folder)
    return folder
