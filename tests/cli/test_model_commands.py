"""`windowshop models`, on a folder and through a server that follows the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.bundle import activate, current_version
from recommender.bundle.runs import write_run
from tests.cli.conftest import Run, refused
from tests.servers import eventually, running_server
from tests.worlds import write_tiny_bundle

A, B, DAMAGED, ODD = "20250601T000000Z-aaaa", "20250602T000000Z-bbbb", "20250603T000000Z-cccc", "20250604T000000Z-dddd"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good versions, a damaged one, and one that names a ranker which nobody has."""
    models = tmp_path_factory.mktemp("versions") / "models"
    for version in (A, B, DAMAGED):
        write_tiny_bundle(models / version)
    write_tiny_bundle(models / ODD, ranker={"name": "crystal_ball"})
    prices = models / DAMAGED / "items" / "price.npy"
    prices.write_bytes(prices.read_bytes()[:-1] + b"\x01")
    return models


@pytest.fixture(autouse=True)
def first_is_live(versions: Path) -> None:
    (versions / "activations").unlink(missing_ok=True)
    (versions / "current").unlink(missing_ok=True)
    activate(versions, A)


def test_a_folder_is_activated_and_rolled_back_without_a_server(run: Run, versions: Path) -> None:
    outcome = run("models", "activate", B, "--models", versions)
    assert (outcome.returncode, outcome.stdout) == (0, f"{B} is live, before it {A}\n")
    assert current_version(versions) == B
    outcome = run("models", "rollback", "--models", versions)
    assert (outcome.returncode, outcome.stdout) == (0, f"{A} is live, before it {B}\n")
    assert current_version(versions) == A
    refused(run("models", "rollback", "--models", versions), "no version that was live before")


@pytest.mark.parametrize(
    ("version", "word"),
    [(DAMAGED, "items/price.npy does not match its SHA-256"), (ODD, "'crystal_ball'"), ("nothing", "'nothing'")],
)
def test_what_cannot_be_served_is_not_activated(run: Run, versions: Path, version: str, word: str) -> None:
    refused(run("models", "activate", version, "--models", versions), word)
    assert current_version(versions) == A


def test_a_damaged_version_is_not_rolled_back_to(run: Run, versions: Path) -> None:
    activate(versions, DAMAGED)
    activate(versions, B)
    refused(run("models", "rollback", "--models", versions), "items/price.npy")
    assert current_version(versions) == B


def test_a_server_that_cannot_start_says_the_way_back(run: Run, versions: Path, tmp_path: Path) -> None:
    activate(versions, DAMAGED)
    serve = ("serve", "--models", versions, "--state", tmp_path / "state")
    refused(run(*serve), "items/price.npy", f"go back to {A}: windowshop models rollback")
    assert run("models", "rollback", "--models", versions).returncode == 0
    assert f"bundle: ok: model {A}" in run(*serve, "--check").stdout


def test_the_gates_verdict_is_listed_and_shown(run: Run, versions: Path) -> None:
    verdict = {"live": A, "users": 500, "new_ndcg": 0.1, "live_ndcg": 0.2}
    passed = {**verdict, "difference": 0.01, "lower": -0.02, "upper": 0.03, "refused": False}
    worse = {**verdict, "difference": -0.1, "lower": -0.2, "upper": -0.05, "refused": True}
    write_run(versions, {"version": B, "published": True, "gate": passed})
    write_run(versions, {"version": "20250605T000000Z-worse", "published": False, "gate": worse})
    rows = [line for line in run("models", "list", "--models", versions).stdout.splitlines() if "│" in line]
    assert ["-" in rows[0], "passed +0.0100 [-0.0200, +0.0300]" in rows[1], "refused -0.1000" in rows[4]] == [True] * 3
    assert "refused" in rows[4].split("│")[1]
    shown = json.loads(run("models", "show", B, "--models", versions).stdout)
    assert (shown["counts"]["items"], shown["run"]["gate"]["difference"]) == (24, 0.01)
    shown = json.loads(run("models", "show", "20250605T000000Z-worse", "--models", versions).stdout)
    assert shown["run"]["gate"]["refused"] is True


def test_a_server_follows_the_folder_and_obeys_the_command(run: Run, versions: Path, tmp_path: Path) -> None:
    with running_server(versions, tmp_path / "state", "--workers", "2") as server:
        run("models", "activate", B, "--models", versions)
        eventually(lambda: f"model {B}" in run("feed", "ada", "--target", server.address).stdout)
        outcome = run("models", "rollback", "--target", server.address)
        assert outcome.returncode == 0, outcome.stderr
        assert f"{A} is live, before it {B}" in outcome.stdout
        assert outcome.stdout.count("confirmed") == 2
        refused(run("models", "activate", DAMAGED, "--target", server.address), "MODEL_REFUSED", "items/price.npy")
        again = run("models", "activate", B, "--target", server.address)
        assert again.stdout.count(B) == 3
    refused(run("models", "rollback", "--target", server.address), "no server answers")
