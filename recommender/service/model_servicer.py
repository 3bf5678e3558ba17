"""ModelService: what lies in the models folder, and what the supervisor knows and does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import grpc

from recommender.api.v1 import models_pb2
from recommender.bundle import list_models
from recommender.errors import RequestError
from recommender.service.control import Activate, ActivationOutcome, RollBack, ServingStatus, TellStatus, Wish
from recommender.service.model_messages import model_message, version_request, worker_messages
from recommender.service.supervisor_link import SupervisorLink
from recommender.service.wire import parse

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1_000
# Verifying a large model comes before the ten seconds of an activation; a client that waits less says so itself.
_PATIENCE_SECONDS: Final = 600.0


class ModelServicer:
    """Answers ListModels, ActivateModel, Rollback and GetServingStatus.

    Args:
        models: Folder of the versions.
        link: To the supervisor.
    """

    def __init__(self, models: Path, link: SupervisorLink) -> None:
        self._models = models
        self._link = link

    def list_models(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of versions, newest first: ListModelsRequest to ListModelsResponse."""
        request = parse(models_pb2.ListModelsRequest, data)
        if request.page_size < 0:
            said = f"page_size is {request.page_size}, wanted 0 for {DEFAULT_PAGE_SIZE} or up to {MAX_PAGE_SIZE:,}"
            raise RequestError("INVALID_ARGUMENT", "PAGE_SIZE_NEGATIVE", said, [("page_size", said)])
        size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        # The token is the last version of its page, so that versions that come and go move no page.
        listed = [each for each in reversed(list_models(self._models)) if _after(each.version, request.page_token)]
        token = listed[size - 1].version if len(listed) > size else ""
        models = map(model_message, listed[:size])
        return models_pb2.ListModelsResponse(models=models, next_page_token=token).SerializeToString()

    def activate_model(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Make a version live: ActivateModelRequest to ActivateModelResponse.

        Raises:
            RequestError: MODEL_NOT_FOUND, MODEL_REFUSED, or what is wrong with the request.
        """
        outcome = self._outcome(Activate(version_request(data)), context)
        return models_pb2.ActivateModelResponse(
            version=outcome.version,
            previous_version=outcome.previous,
            confirmed_workers=worker_messages(outcome.confirmed),
            pending_workers=worker_messages(outcome.pending),
        ).SerializeToString()

    def rollback(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Make the version before live again: RollbackRequest to RollbackResponse.

        Raises:
            RequestError: NO_EARLIER_MODEL or MODEL_REFUSED.
        """
        parse(models_pb2.RollbackRequest, data)
        outcome = self._outcome(RollBack(), context)
        return models_pb2.RollbackResponse(
            version=outcome.version,
            previous_version=outcome.previous,
            confirmed_workers=worker_messages(outcome.confirmed),
            pending_workers=worker_messages(outcome.pending),
        ).SerializeToString()

    def get_serving_status(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """How each worker is: GetServingStatusRequest to GetServingStatusResponse."""
        parse(models_pb2.GetServingStatusRequest, data)
        status = self._link.ask(TellStatus(), _patience(context))
        assert isinstance(status, ServingStatus)  # noqa: S101  # each wish has its kind of answer
        return models_pb2.GetServingStatusResponse(
            live_version=status.version,
            pending_version=status.changing_to,
            workers=worker_messages(status.workers),
            process_id=os.getpid(),
        ).SerializeToString()

    def _outcome(self, wish: Wish, context: grpc.ServicerContext) -> ActivationOutcome:
        outcome = self._link.ask(wish, _patience(context))
        assert isinstance(outcome, ActivationOutcome)  # noqa: S101  # as above
        return outcome


def _after(version: str, token: str) -> bool:
    return not token or version < token


def _patience(context: grpc.ServicerContext) -> float:
    return min(float(context.time_remaining()), _PATIENCE_SECONDS)
