from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from recommender.config import FeedSettings, StateSettings
from recommender.errors import ConfigurationError
from recommender.feed.signing_keys import read_signing_keys
from recommender.state.sqlite import SqliteState, open_state
from tests.worlds import NOW_MS


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = open_state(tmp_path / "state", StateSettings(), clock=lambda: NOW_MS)
    yield opened
    opened.close()


def test_configured_keys_go_before_those_of_their_file_and_these_before_the_states(
    state: SqliteState, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 32 + "\n", encoding="utf-8")
    assert read_signing_keys(state, FeedSettings()) == state.signing_keys()
    assert read_signing_keys(state, FeedSettings(signing_key_file=file)) == (b"f" * 32,)
    settings = FeedSettings(signing_key_file=file, signing_key=SecretStr("s" * 32))
    assert read_signing_keys(state, settings) == (b"s" * 32,)


def test_a_file_may_hold_several_keys_of_which_the_first_signs(state: SqliteState, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n" + "n" * 32 + "\r\n\n  " + "o" * 40 + "\n", encoding="utf-8")
    assert read_signing_keys(state, FeedSettings(signing_key_file=file)) == (b"n" * 32, b"o" * 40)


def test_a_key_that_cannot_be_used_is_refused_and_never_printed(state: SqliteState, tmp_path: Path) -> None:
    for text, said in (
        ("hush!", "feed.signing_key has 5 characters, wanted at least 32"),
        ("s" * 32 + "\nhush!", "feed.signing_key has a key of 5 characters, wanted at least 32"),
        ("\n", "feed.signing_key has 0 characters"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            read_signing_keys(state, FeedSettings(signing_key=SecretStr(text)))
        assert str(refused.value).startswith(said)
        assert "hush!" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"cannot read feed\.signing_key_file .*missing: No such file"):
        read_signing_keys(state, FeedSettings(signing_key_file=tmp_path / "missing"))
