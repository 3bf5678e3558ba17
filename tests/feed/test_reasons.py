from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.feed.catalogue import Catalogue
from recommender.feed.reasons import TAIL, Evidence, reasons_for
from recommender.feed.views import Reason
from recommender.types import EVENT_TYPE_CODE, UNKNOWN_EVENT_TYPE, History, ReasonType

PAN = "item-iron-pan"


@pytest.fixture
def catalogue(bundle: Bundle) -> Catalogue:
    return Catalogue(bundle)


def reason(catalogue: Catalogue, evidence: Evidence, *deeds: str) -> Reason:
    """The reason of a card for somebody who did this with the pan."""
    row, n = catalogue.row(PAN), len(deeds)
    codes = [EVENT_TYPE_CODE.get(deed, UNKNOWN_EVENT_TYPE) for deed in deeds]
    history = History(np.full(n, row, np.int32), np.array(codes, np.uint8), np.arange(n))
    return reasons_for([evidence], history, catalogue)[0]


def from_pan(catalogue: Catalogue, source: str = "cooccurrence") -> Evidence:
    return Evidence(source, "item", catalogue.row(PAN))


@pytest.mark.parametrize(
    ("deeds", "wanted"),
    [
        (("view",), ReasonType.BECAUSE_YOU_VIEWED),
        (("cart",), ReasonType.BECAUSE_YOU_VIEWED),
        (("view", "favorite"), ReasonType.BECAUSE_YOU_LIKED),
        (("like", "view"), ReasonType.BECAUSE_YOU_LIKED),
        (("purchase", "view", "like"), ReasonType.BECAUSE_YOU_BOUGHT),
    ],
)
def test_the_strongest_deed_names_the_reason(catalogue: Catalogue, deeds: tuple[str, ...], wanted: ReasonType) -> None:
    assert reason(catalogue, from_pan(catalogue), *deeds) == Reason(wanted, PAN)
    assert reason(catalogue, from_pan(catalogue, "als"), *deeds) == Reason(wanted, PAN)


@pytest.mark.parametrize("deeds", [(), ("impression",), ("return",), ("teleport",), ("view", "hide")])
def test_evidence_that_no_longer_holds_gives_a_plainer_reason(catalogue: Catalogue, deeds: tuple[str, ...]) -> None:
    assert reason(catalogue, from_pan(catalogue), *deeds) == Reason(ReasonType.PICKED_FOR_YOU)


def test_evidence_that_left_the_catalogue_gives_a_plainer_reason(catalogue: Catalogue) -> None:
    assert reason(catalogue, Evidence("cooccurrence", "item", -1), "view") == Reason(ReasonType.PICKED_FOR_YOU)


def test_likeness_of_content_says_what_it_is_like(catalogue: Catalogue) -> None:
    assert reason(catalogue, from_pan(catalogue, "content"), "purchase") == Reason(ReasonType.SIMILAR_TO, PAN)
    assert reason(catalogue, Evidence("content", "item"), "view") == Reason(ReasonType.PICKED_FOR_YOU)


def test_an_own_item_is_its_own_evidence(catalogue: Catalogue) -> None:
    row = catalogue.row(PAN)
    for deed, wanted in (("purchase", ReasonType.BUY_AGAIN), ("view", ReasonType.BECAUSE_YOU_VIEWED)):
        history = History(np.array([row], np.int32), np.array([EVENT_TYPE_CODE[deed]], np.uint8), np.zeros(1, np.int64))
        evidence = [Evidence("own_frequency", "item", row)]
        assert reasons_for(evidence, history, catalogue) == [Reason(wanted, PAN)]


def test_a_category_is_named_by_its_path(catalogue: Catalogue) -> None:
    evidence = Evidence("popularity_category", "category", category="Kitchen > Pans")
    assert reason(catalogue, evidence) == Reason(ReasonType.POPULAR_IN_CATEGORY, category="Kitchen > Pans")


@pytest.mark.parametrize("source", [TAIL, "popularity_recent", "popularity_category"])
def test_what_is_only_popular_says_so(catalogue: Catalogue, source: str) -> None:
    assert reason(catalogue, Evidence(source, "none"), "view") == Reason(ReasonType.POPULAR_NOW)


def test_no_cards_have_no_reasons(catalogue: Catalogue) -> None:
    assert reasons_for([], History.empty(), catalogue) == []
