from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.sealing import Seal, Seals

KEY = b"a key of at least sixteen bytes"


@given(st.binary(max_size=200))
def test_what_was_closed_opens_with_the_same_key_and_purpose_alone(payload: bytes) -> None:
    closed = Seal(KEY, "one").close(payload)
    assert Seal(KEY, "one").open(closed) == payload
    assert Seal(KEY, "another").open(closed) is None
    assert Seal(KEY + b"!", "one").open(closed) is None


@given(st.binary(max_size=40), st.data())
def test_no_text_but_the_closed_one_opens(payload: bytes, data: st.DataObject) -> None:
    seal = Seal(KEY, "one")
    closed = seal.close(payload)
    place = data.draw(st.integers(0, len(closed) - 1))
    letter = data.draw(st.sampled_from("ABCdef019-_=+/ \n.é"))
    changed = closed[:place] + letter + closed[place + 1 :]
    assert (seal.open(changed) == payload) == (changed == closed)
    for other in (closed[:place], closed + letter, letter + closed, closed + "="):
        assert seal.open(other) is None


@given(st.text(max_size=2_000))
def test_arbitrary_text_never_opens_nor_breaks_anything(text: str) -> None:
    assert Seal(KEY, "one").open(text) is None


def test_closed_text_is_safe_in_a_url() -> None:
    closed = Seal(KEY, "one").close(bytes(range(256)))
    assert set(closed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_digest_stands_for_a_text_under_one_key() -> None:
    seal = Seal(KEY, "one")
    assert seal.digest("ada") == seal.digest("ada") != seal.digest("bob")
    assert seal.digest("ada") != Seal(KEY + b"!", "one").digest("ada")


@given(st.binary(max_size=60))
def test_the_first_key_closes_and_each_opens_under_its_own_digests(payload: bytes) -> None:
    old, new = KEY, KEY + b"!"
    seals = Seals([new, old], "one")
    for key in (new, old):
        opened = seals.open(Seal(key, "one").close(payload))
        assert opened is not None
        assert opened.payload == payload
        assert opened.seal.digest("ada") == Seal(key, "one").digest("ada")
    assert seals.first.close(payload) == Seal(new, "one").close(payload)
    assert seals.open(Seal(KEY + b"?", "one").close(payload)) is None
