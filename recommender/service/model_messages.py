"""What is known of models and workers as messages, and messages of models as types."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from recommender.api.v1 import models_pb2
from recommender.bundle import ListedModel
from recommender.bundle.runs import GateVerdict
from recommender.errors import RequestError
from recommender.service.control import WorkerStatus
from recommender.service.field_limits import Violations, id_problem
from recommender.service.wire import parse, timestamp


def version_request(data: bytes) -> str:
    """The version in the bytes of an ActivateModelRequest.

    Raises:
        RequestError: VERSION_REQUIRED, or what else is wrong with it.
    """
    version = parse(models_pb2.ActivateModelRequest, data).version
    if not version:
        said = "version is empty, wanted one that ListModels shows"
        raise RequestError("INVALID_ARGUMENT", "VERSION_REQUIRED", said, [("version", said)])
    violations = Violations()
    violations.add("version", id_problem(version))
    violations.refuse()
    return version


def model_message(model: ListedModel) -> models_pb2.Model:
    """The message of a listed model."""
    message = models_pb2.Model(
        version=model.version,
        live=model.live,
        state=models_pb2.ModelState.ValueType(model.state),
        problem=model.problem,
        gate_verdict=_verdict(model.run.gate) if model.run is not None and model.run.gate is not None else None,
    )
    if model.manifest is not None:
        message.item_count = model.manifest.counts.get("items", 0)
        message.user_count = model.manifest.counts.get("users", 0)
        message.event_count = model.manifest.counts.get("events", 0)
        for field, text in (
            ("create_time", model.manifest.created),
            ("data_start_time", model.manifest.data_start),
            ("data_end_time", model.manifest.data_end),
        ):
            if (time := _time(text)) is not None:
                getattr(message, field).CopyFrom(time)
    return message


def worker_messages(workers: Iterable[WorkerStatus]) -> list[models_pb2.Worker]:
    """The messages of workers, in order."""
    return [
        models_pb2.Worker(
            number=worker.number,
            process_id=worker.process_id,
            model_version=worker.version,
            readiness=models_pb2.Readiness.ValueType(worker.readiness),
            problem=worker.problem,
        )
        for worker in workers
    ]


def _verdict(verdict: GateVerdict) -> models_pb2.GateVerdict:
    return models_pb2.GateVerdict(
        refused=verdict.refused,
        compared_version=verdict.live,
        user_count=verdict.users,
        new_ndcg=verdict.new_ndcg,
        live_ndcg=verdict.live_ndcg,
        difference=verdict.difference,
        difference_lower=verdict.lower,
        difference_upper=verdict.upper,
    )


def _time(text: str | None) -> Timestamp | None:
    """A manifest's time; None where it has none, or one that is no time."""
    try:
        return None if text is None else timestamp(int(datetime.fromisoformat(text).timestamp() * 1_000))
    except ValueError:
        return None
