from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.receipts import Attribution, ReceiptProblem, ReceiptSigner, new_request_id
from recommender.types import DAY_MS
from tests.worlds import NOW_MS

SIGNER = ReceiptSigner([b"a key of at least sixteen bytes"])
SHOWN = Attribution("request-1", NOW_MS, 7, "cooccurrence", "20250601T000000Z", 0.5)


def receipt_for(user_id: str = "", session_id: str = "", shown: Attribution = SHOWN) -> str:
    return SIGNER.issue(shown, "pan", SIGNER.viewer(user_id, session_id))


@given(
    st.builds(
        Attribution,
        st.text(st.characters(codec="ascii"), max_size=40),
        st.integers(0, NOW_MS),
        st.integers(0, 10_000),
        st.sampled_from(["als", "tail", "popularity_recent"]),
        st.text(max_size=60),
        st.floats(0.0, 1.0, exclude_min=True).map(lambda value: float(np.float32(value))),
    ),
    st.text(max_size=256),
    st.text(max_size=256),
)
def test_a_receipt_says_what_was_shown(shown: Attribution, item_id: str, user_id: str) -> None:
    receipt = SIGNER.issue(shown, item_id, SIGNER.viewer(user_id, ""))
    assert SIGNER.read(receipt, shown.time_ms, item_id, user_id, "") == shown


def test_a_receipt_for_another_item_says_so_even_when_it_is_old() -> None:
    receipt = receipt_for("ada")
    assert SIGNER.read(receipt, NOW_MS, "knife", "ada", "") is ReceiptProblem.OTHER_ITEM
    assert SIGNER.read(receipt, NOW_MS + 90 * DAY_MS, "knife", "ada", "") is ReceiptProblem.OTHER_ITEM


def test_a_receipt_holds_for_seven_days() -> None:
    receipt = receipt_for("ada")
    assert SIGNER.read(receipt, NOW_MS + 7 * DAY_MS, "pan", "ada", "") == SHOWN
    assert SIGNER.read(receipt, NOW_MS + 7 * DAY_MS + 1, "pan", "ada", "") is ReceiptProblem.EXPIRED


def test_somebody_elses_receipt_is_bad() -> None:
    assert SIGNER.read(receipt_for("ada"), NOW_MS, "pan", "bob", "") is ReceiptProblem.BAD
    assert SIGNER.read(receipt_for("ada"), NOW_MS, "pan", "", "ada") is ReceiptProblem.BAD
    assert SIGNER.read(receipt_for("", "s1"), NOW_MS, "pan", "", "s2") is ReceiptProblem.BAD


def test_a_sessions_receipt_holds_for_the_user_who_signs_in_within_it() -> None:
    assert SIGNER.read(receipt_for("", "s1"), NOW_MS, "pan", "ada", "s1") == SHOWN


def test_a_receipt_given_to_nobody_holds_for_whoever_comes() -> None:
    assert SIGNER.read(receipt_for(), NOW_MS, "pan", "ada", "s1") == SHOWN


@pytest.mark.parametrize("receipt", ["", "forged", "A" * 130, "%", "A" * 5_000])
def test_a_forged_receipt_is_bad(receipt: str) -> None:
    assert SIGNER.read(receipt, NOW_MS, "pan", "ada", "") is ReceiptProblem.BAD


def test_a_receipt_of_another_key_is_bad() -> None:
    stranger = ReceiptSigner([b"another key of sixteen bytes"])
    receipt = stranger.issue(SHOWN, "pan", stranger.viewer("ada", ""))
    assert SIGNER.read(receipt, NOW_MS, "pan", "ada", "") is ReceiptProblem.BAD


def test_a_receipt_holds_no_readable_id() -> None:
    assert receipt_for("ada") != receipt_for("bob")
    unsigned = replace(SHOWN, request_id="", source="", model="")
    assert len(receipt_for("u" * 256, shown=unsigned)) == len(receipt_for("", "s", shown=unsigned)) < 70


def test_request_ids_do_not_repeat() -> None:
    assert len({new_request_id() for _ in range(1_000)}) == 1_000


def test_receipts_of_an_earlier_key_hold_in_every_respect() -> None:
    rotated = ReceiptSigner([b"a new key of sixteen bytes", b"a key of at least sixteen bytes"])
    for receipt, user_id, session_id in ((receipt_for("ada"), "ada", ""), (receipt_for("", "s1"), "ada", "s1")):
        assert rotated.read(receipt, NOW_MS, "pan", user_id, session_id) == SHOWN
        assert rotated.read(receipt, NOW_MS, "knife", user_id, session_id) is ReceiptProblem.OTHER_ITEM
        assert rotated.read(receipt, NOW_MS + 8 * DAY_MS, "pan", user_id, session_id) is ReceiptProblem.EXPIRED
        assert rotated.read(receipt, NOW_MS, "pan", "bob", "s2") is ReceiptProblem.BAD
    fresh = rotated.issue(SHOWN, "pan", rotated.viewer("ada", ""))
    assert SIGNER.read(fresh, NOW_MS, "pan", "ada", "") is ReceiptProblem.BAD
    assert rotated.read(fresh, NOW_MS, "pan", "ada", "") == SHOWN
