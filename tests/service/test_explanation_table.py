from __future__ import annotations

import io

import pytest
from rich.console import Console

from recommender.api.v1 import feed_pb2
from recommender.feed.catalogue import Absence
from recommender.feed.explanation import Explanation, ItemStage, SourceFinding
from recommender.service.explanation_table import explanation_table, sentence
from recommender.service.explanation_wire import explanation_to
from recommender.types import Relaxation


def test_stages_and_absences_have_the_wires_numbers() -> None:
    told = {name.removeprefix("ITEM_STAGE_"): value for name, value in feed_pb2.ItemStage.items() if value}
    assert told == {stage.name: stage.value for stage in ItemStage}
    reasons = {name.removeprefix("ABSENCE_"): value for name, value in feed_pb2.Absence.items() if value}
    assert reasons == {absence.name: absence.value for absence in Absence}


@pytest.mark.parametrize("stage", ItemStage)
def test_every_stage_has_a_sentence_of_its_own(stage: ItemStage) -> None:
    reply = explanation_to(Explanation(stage, "v", absence=Absence.EXPIRED, filters=("hidden",), position=3))
    others = [each for each in ItemStage if each is not stage]
    assert sentence(reply) not in {sentence(explanation_to(Explanation(each, "v"))) for each in others}
    assert "unknown" not in sentence(reply)


def test_a_number_of_a_newer_server_is_no_error() -> None:
    assert sentence(feed_pb2.ExplainItemResponse(stage=99)) == "unknown to this client"  # type: ignore[arg-type]


def test_everything_that_is_known_reaches_the_message_and_zero_is_not_missing() -> None:
    finding = SourceFinding("als", True, 0, 0.0, "item-1", "", 0.0)
    explanation = Explanation(
        ItemStage.SHOWN, "v1", None, (), 0, 0, 0.0, -1.5, (finding, SourceFinding("content", error="KeyError: x")),
        "logistic", (("als.rank", 0.0), ("content.rank", None)), (Relaxation.PRICE,),
    )  # fmt: skip
    reply = explanation_to(explanation)
    assert all(reply.HasField(name) for name in ("position", "rank", "score", "last_score"))
    assert reply.last_score == -1.5
    als, content = reply.sources
    assert (als.HasField("rank"), als.HasField("score"), als.HasField("contribution")) == (True, True, True)
    assert (content.retrieved, content.HasField("rank"), content.error) == (False, False, "KeyError: x")
    assert [(each.name, each.HasField("value")) for each in reply.inputs] == [
        ("als.rank", True),
        ("content.rank", False),
    ]
    assert list(reply.relaxations) == [feed_pb2.RELAXATION_PRICE]


def test_the_table_shows_sources_and_inputs_and_no_codes_from_outside() -> None:
    finding = SourceFinding("als", True, 4, 0.25, "item-\x1b[31mred", "", 1.5)
    explanation = Explanation(
        ItemStage.SHOWN, "v1", position=7, rank=4, score=1.25, sources=(finding,), ranker="logistic",
        inputs=(("als.rank", -1.609), ("als.share", None)),
    )  # fmt: skip
    out = io.StringIO()
    Console(file=out, width=150).print(explanation_table("x for ann", explanation_to(explanation)))
    text = out.getvalue()
    assert "x for ann: shown at position 7, place 4 by score, 1.250" in text
    for part in ("als", "0.25", "1.5", "input of logistic", "-1.609", "als.share"):
        assert part in text
    assert "\x1b" not in text
