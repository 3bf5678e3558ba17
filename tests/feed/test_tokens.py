from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import RequestError
from recommender.feed.tokens import PageTokens, Place, binding_of
from tests.worlds import NOW_MS

KEY = b"a key of at least sixteen bytes"
TOKENS = PageTokens([KEY], "feed", 1_000)
BINDING = binding_of("ada", "")
TOKEN = TOKENS.issue(Place(b"locator", 20, 20), BINDING, NOW_MS)


def refusal(token: str, binding: str = BINDING, now_ms: int = NOW_MS) -> str:
    with pytest.raises(RequestError) as refused:
        TOKENS.read(token, binding, now_ms)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert [field for field, _ in refused.value.violations] == ["page_token"]
    return refused.value.reason


@given(st.binary(max_size=32), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_token_names_its_place(locator: bytes, cursor: int, delivered: int) -> None:
    place = Place(locator, cursor, delivered)
    assert TOKENS.read(TOKENS.issue(place, BINDING, NOW_MS), BINDING, NOW_MS) == place


def test_a_forged_token_is_invalid() -> None:
    for token in ("forged", TOKEN[:-1], TOKEN + "A", TOKEN[::-1], "A" * 4_000):
        assert refusal(token) == "PAGE_TOKEN_INVALID"


def test_a_token_of_another_kind_of_list_is_invalid() -> None:
    other = PageTokens([KEY], "similar", 1_000)
    assert refusal(other.issue(Place(), BINDING, NOW_MS)) == "PAGE_TOKEN_INVALID"


def test_a_token_bound_to_something_else_is_a_mismatch() -> None:
    assert refusal(TOKEN, binding_of("bob", "")) == "PAGE_TOKEN_MISMATCH"
    assert refusal(TOKEN, binding_of("ad", "a")) == "PAGE_TOKEN_MISMATCH"


def test_a_token_lives_as_long_as_it_says() -> None:
    assert TOKENS.read(TOKEN, BINDING, NOW_MS + 1_000).cursor == 20
    assert refusal(TOKEN, now_ms=NOW_MS + 1_001) == "PAGE_TOKEN_EXPIRED"


def test_an_old_token_of_somebody_else_is_a_mismatch() -> None:
    assert refusal(TOKEN, binding_of("bob", ""), NOW_MS + 5_000) == "PAGE_TOKEN_MISMATCH"


def test_a_token_of_an_earlier_key_names_its_place_and_no_other_binding() -> None:
    rotated = PageTokens([b"a new key of sixteen bytes", KEY], "feed", 1_000)
    assert rotated.read(TOKEN, BINDING, NOW_MS) == Place(b"locator", 20, 20)
    with pytest.raises(RequestError, match="PAGE_TOKEN_MISMATCH"):
        rotated.read(TOKEN, binding_of("bob", ""), NOW_MS)
    assert refusal(rotated.issue(Place(), BINDING, NOW_MS)) == "PAGE_TOKEN_INVALID"
