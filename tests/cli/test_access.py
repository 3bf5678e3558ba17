"""Clients of a server that asks for tokens, and servers that were told something wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recommender.config import StateSettings
from recommender.state.sqlite import open_state
from tests.certificates import Authority
from tests.cli.conftest import Run, refused
from tests.servers import RunningServer, running_server

FRONTEND, CATALOG = "f" * 32, "c" * 32


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one frontend token and one catalog token."""
    tokens = f"frontend {FRONTEND}, catalog {CATALOG}"
    state = tmp_path_factory.mktemp("guarded") / "state"
    with running_server(models, state, WINDOWSHOP_SERVER__TOKENS=tokens) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def secure(models: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with TLS that asks clients for certificates."""
    pair = authority.issue("server")
    settings = {
        "WINDOWSHOP_SERVER__TLS_CERTIFICATE": str(pair.certificate),
        "WINDOWSHOP_SERVER__TLS_KEY": str(pair.key),
        "WINDOWSHOP_SERVER__TLS_CLIENT_CA": str(authority.pair.certificate),
    }
    with running_server(models, tmp_path_factory.mktemp("secure") / "state", **settings) as running:
        yield running


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    file.write_text("user_id,item_id,event_type,timestamp\nada,item-spade,view,\n", encoding="utf-8")
    return file


def test_a_token_from_a_file_or_the_environment_lets_the_commands_in(
    run: Run, server: RunningServer, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{FRONTEND}\n", encoding="utf-8")
    assert "feed of ada" in run("feed", "ada", "--target", server.address, "--token-file", file).stdout
    sent = run("send-events", events, "--target", server.address, "--token-file", file)
    assert sent.stdout.startswith("1 accepted")
    monkeypatch.setenv("WINDOWSHOP_TOKEN", FRONTEND)
    assert "feed of ada" in run("feed", "ada", "--target", server.address).stdout
    monkeypatch.delenv("WINDOWSHOP_TOKEN")
    monkeypatch.setenv("WINDOWSHOP_TOKEN_FILE", str(file))
    assert "feed of ada" in run("feed", "ada", "--target", server.address).stdout


def test_a_token_that_is_missing_unknown_or_of_another_role_is_said_and_never_told(
    run: Run, server: RunningServer, events: Path, tmp_path: Path
) -> None:
    refused(run("feed", "ada", "--target", server.address), "TOKEN_MISSING", "--token-file")
    refused(run("send-events", events, "--target", server.address), "TOKEN_MISSING")
    file = tmp_path / "token"
    for token, reason in (("w" * 32, "TOKEN_UNKNOWN"), (CATALOG, "ROLE_MISSING")):
        file.write_text(token, encoding="utf-8")
        outcome = run("feed", "ada", "--target", server.address, "--token-file", file)
        refused(outcome, reason)
        assert token not in outcome.stderr


def test_a_token_file_that_cannot_be_used_is_said_and_never_told(run: Run, tmp_path: Path) -> None:
    refused(run("feed", "ada", "--token-file", tmp_path / "missing"), "missing", "No such file")
    file = tmp_path / "token"
    for content, word in ((b"", "is empty"), (f"admin {FRONTEND}".encode(), "without its role"), (b"\xff", "not text")):
        file.write_bytes(content)
        outcome = run("feed", "ada", "--token-file", file)
        refused(outcome, word)
        assert FRONTEND not in outcome.stderr


def test_serve_and_its_check_refuse_tokens_that_cannot_be_used(
    run: Run, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"root {FRONTEND}\n", encoding="utf-8")
    monkeypatch.setenv("WINDOWSHOP_SERVER__TOKENS_FILE", str(file))
    command = ("serve", "--models", models, "--state", tmp_path / "state")
    refused(run(*command), str(file), "line 1", "frontend, catalog, admin")
    assert "configuration: NOT OK: server.tokens_file" in run(*command, "--check").stdout
    file.write_text(f"frontend {FRONTEND}\n", encoding="utf-8")
    assert "calls need a token" in run(*command, "--check").stdout


def test_tls_from_options_or_the_environment_lets_the_commands_in(
    run: Run, secure: RunningServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("friend")
    shown = ("--tls-certificate", pair.certificate, "--tls-key", pair.key)
    command = ("feed", "ada", "--target", secure.address)
    assert "feed of ada" in run(*command, "--tls-ca", authority.pair.certificate, *shown).stdout
    monkeypatch.setenv("WINDOWSHOP_TLS_CA", str(authority.pair.certificate))
    assert "feed of ada" in run(*command, *shown).stdout
    refused(run(*command, *shown[:2]), "both --tls-certificate and --tls-key")


def test_who_cannot_agree_on_tls_is_told_so(
    run: Run, secure: RunningServer, server: RunningServer, authority: Authority, tmp_path: Path
) -> None:
    trusting = ("--tls-ca", authority.pair.certificate)
    for target, options, words in (
        (secure.address, (), ("hung up", "--tls-ca")),
        (secure.address, ("--tls",), ("no certificate", "--tls-ca")),
        (secure.address, ("--tls-ca", Authority(tmp_path / "other").pair.certificate), ("no certificate", "--tls-ca")),
        (secure.address, trusting, ("hung up", "--tls-certificate")),
        (server.address, trusting, ("speaks plain text",)),
    ):
        refused(run("feed", "ada", "--target", target, *options), target, *words)


def test_a_state_gets_a_new_key_and_says_how_many_stay(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    refused(run("rotate-key", "--state", state), str(state), "holds no signing.key")
    with closing(open_state(state, StateSettings(), clock=lambda: 0)) as opened:
        opened.signing_keys()
    for flags, kept in (((), 1), ((), 2), (("--drop-earlier",), 0)):
        outcome = run("rotate-key", "--state", state, *flags)
        assert outcome.stdout == f"a new key signs from the next start; earlier keys that still verify: {kept}\n"
