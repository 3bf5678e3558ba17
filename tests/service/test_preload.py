from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.service.fork_environment import fork_environment
from recommender.service.preload import check_fork
from tests.servers import ROOT
from tests.worlds import write_tiny_bundle

FORK = """
import os, sys, threading
import recommender.service.preload as preload
{before}
child = os.fork()
if child == 0:
    try:
        preload.check_fork()
    except RuntimeError as error:
        print(error, flush=True)
        os._exit(3)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("preload") / "v1").folder


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", ""),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "2 threads and no loaded gRPC"),
        ("import grpc", "and a loaded gRPC"),
    ],
    ids=["clean", "a thread", "grpc"],
)
def test_only_a_clean_fork_server_makes_workers(bundle: Path, before: str, said: str) -> None:
    fork = subprocess.run(
        [sys.executable, "-c", FORK.format(before=before)],
        cwd=ROOT,
        env=os.environ | fork_environment(bundle),
        capture_output=True,
        text=True,
        check=False,
    )
    assert fork.returncode == (3 if said else 0), fork.stderr
    assert said in fork.stdout


def test_a_worker_that_was_not_forked_from_there_is_refused() -> None:
    with pytest.raises(RuntimeError, match="had 0 threads"):
        check_fork()
