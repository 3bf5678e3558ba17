"""Explanations as messages."""

from __future__ import annotations

from recommender.api.v1 import feed_pb2
from recommender.feed.explanation import Explanation, SourceFinding
from recommender.feed.views import FeedRequest
from recommender.service.field_limits import Problem, Violations, id_problem
from recommender.service.wire import feed_request_of, parse


def explain_request(data: bytes) -> tuple[FeedRequest, str]:
    """The feed and the item in the bytes of an ExplainItemRequest.

    Raises:
        RequestError: The bytes or fields are wrong; every field's problem is named.
    """
    message = parse(feed_pb2.ExplainItemRequest, data)
    violations = Violations()
    violations.add(
        "item_id",
        id_problem(message.item_id) if message.item_id else Problem("ITEM_ID_REQUIRED", "is empty, wanted an item id"),
    )
    violations.refuse()
    feed = feed_pb2.GetFeedRequest(
        user_id=message.user_id,
        session_id=message.session_id,
        page_size=message.page_size,
        context=message.context if message.HasField("context") else None,
        filter=message.filter if message.HasField("filter") else None,
    )
    return feed_request_of(feed, None), message.item_id


def explanation_to(explanation: Explanation) -> feed_pb2.ExplainItemResponse:
    """The message of an explanation."""
    return feed_pb2.ExplainItemResponse(
        stage=feed_pb2.ItemStage.ValueType(explanation.stage),
        absence=feed_pb2.Absence.ValueType(explanation.absence or 0),
        filters=explanation.filters,
        position=explanation.position,
        rank=explanation.rank,
        score=explanation.score,
        probability=explanation.probability,
        last_score=explanation.last_score,
        sources=map(_finding_to, explanation.sources),
        ranker=explanation.ranker,
        inputs=[feed_pb2.RankerInput(name=name, value=value) for name, value in explanation.inputs],
        model_version=explanation.model_version,
        relaxations=map(feed_pb2.Relaxation.ValueType, explanation.relaxations),
    )


def _finding_to(finding: SourceFinding) -> feed_pb2.SourceFinding:
    return feed_pb2.SourceFinding(
        source=finding.source,
        retrieved=finding.retrieved,
        rank=finding.rank,
        score=finding.score,
        evidence_item_id=finding.evidence_item_id,
        evidence_category=finding.evidence_category,
        contribution=finding.contribution,
        error=finding.error,
    )
