from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from recommender.config import ServerSettings
from recommender.errors import ConfigurationError
from recommender.service.access_tokens import parse_access_tokens, read_access_tokens
from recommender.service.roles import Role

FRONTEND, OTHER, CATALOG, ADMIN = ("f" * 32, "F" * 40, "c" * 32 + "~+/=", "a" * 64)


def test_tokens_are_lines_of_a_role_and_a_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(
        f"# for the shop's backend\nfrontend {FRONTEND}\nfrontend\t{OTHER}  # the next one\n\ncatalog {CATALOG}\n"
        f"admin {ADMIN}\r\n",
        encoding="utf-8",
    )
    tokens = read_access_tokens(ServerSettings(tokens_file=file))
    assert tokens is not None
    assert tokens.counts() == {"frontend": 2, "catalog": 1, "admin": 1}
    held = {FRONTEND: Role.FRONTEND, OTHER: Role.FRONTEND, CATALOG: Role.CATALOG, ADMIN: Role.ADMIN}
    assert {token: tokens.role_of(token) for token in held} == held


def test_the_environment_may_hold_them_parted_by_commas_and_goes_before_the_file(tmp_path: Path) -> None:
    secret = SecretStr(f"frontend {FRONTEND}, admin {ADMIN}")
    tokens = read_access_tokens(ServerSettings(tokens=secret, tokens_file=tmp_path / "missing"))
    assert tokens is not None
    assert (tokens.role_of(FRONTEND), tokens.role_of(ADMIN)) == (Role.FRONTEND, Role.ADMIN)


def test_without_either_there_are_none() -> None:
    assert read_access_tokens(ServerSettings()) is None


@pytest.mark.parametrize("token", ["", "f" * 31, "f" * 33, FRONTEND.upper(), f" {FRONTEND}", "é" * 32, "f" * 100_000])
def test_any_other_token_has_no_role(token: str) -> None:
    assert parse_access_tokens(f"frontend {FRONTEND}", "here").role_of(token) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no token"),
        ("# nothing yet\n\n", "holds no token"),
        (f"frontend {FRONTEND}\nroot {ADMIN}", "line 2: wanted ROLE TOKEN, the role one of frontend, catalog, admin"),
        (ADMIN, "line 1: wanted ROLE TOKEN"),
        (f"{ADMIN} admin", "line 1: wanted ROLE TOKEN"),
        (f"admin {ADMIN} {ADMIN}", "line 1: wanted ROLE TOKEN"),
        (f"Admin {ADMIN}", "line 1: wanted ROLE TOKEN"),
        ("admin hunter2", "line 1: the token has 7 characters, wanted at least 32"),
        (f"frontend {ADMIN}\nadmin {ADMIN}", "line 2: the token has another role above"),
    ],
)
def test_what_is_no_list_of_tokens_is_refused_and_no_token_told(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_access_tokens(text, "tokens.txt")
    assert str(refused.value).startswith("tokens.txt")
    assert said in str(refused.value)
    for secret in (FRONTEND, ADMIN, "hunter2"):
        assert secret not in str(refused.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read server\.tokens_file .*missing: No such file"):
        read_access_tokens(ServerSettings(tokens_file=tmp_path / "missing"))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is not plain text"):
        read_access_tokens(ServerSettings(tokens_file=binary))


def test_nothing_that_is_printed_shows_a_token() -> None:
    text = f"admin {ADMIN}"
    assert ADMIN not in repr(parse_access_tokens(text, "here"))
    settings = ServerSettings(tokens=SecretStr(text))
    assert ADMIN not in repr(settings) + str(settings) + settings.model_dump_json()
