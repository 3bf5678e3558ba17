"""`windowshop models activate` and `rollback`: in the folder itself, or by a server, which tells of each worker."""

from __future__ import annotations

from pathlib import Path

import grpc
from rich.console import Group, RenderableType
from rich.table import Table

from recommender import wiring
from recommender.api.v1 import models_pb2, models_pb2_grpc
from recommender.bundle import activate, list_versions, open_version, previous_version, roll_back
from recommender.bundle.live import live_name
from recommender.config import Settings
from recommender.errors import BundleError, InputError
from recommender.service.client import explain

_CALL_SECONDS = 660.0
Outcome = models_pb2.ActivateModelResponse | models_pb2.RollbackResponse


def activate_in(models: Path, version: str) -> str:
    """Make a version of a folder live, which a running server follows; a sentence about it.

    Raises:
        InputError: There is no such version.
        BundleError: It is damaged, foreign, or cannot be served by this build; the live one stays.
    """
    versions = list_versions(models)
    if version not in versions:
        raise InputError(f"{models} has no version {version!r}; the latest are: {', '.join(versions[-5:]) or 'none'}")
    _check(models, version)
    before = live_name(models)
    activate(models, version)
    return _sentence(version, before)


def roll_back_in(models: Path) -> str:
    """Make the version of a folder live again that was live before; a sentence about it.

    Raises:
        BundleError: There is none, or it is damaged; the live one stays.
    """
    version, before = previous_version(models), live_name(models)
    if version is None:
        raise BundleError(f"{models} holds no version that was live before; activate another one by its name")
    _check(models, version)
    roll_back(models, version)
    return _sentence(version, before)


def activate_at(channel: grpc.Channel, target: str, version: str) -> RenderableType:
    """Make a version live on every worker of a server; what each of them says.

    Raises:
        WindowshopError: The server cannot be reached or refuses.
    """
    request = models_pb2.ActivateModelRequest(version=version)
    try:
        return _table(models_pb2_grpc.ModelServiceStub(channel).ActivateModel(request, timeout=_CALL_SECONDS))
    except grpc.RpcError as error:
        raise explain(error, target) from error


def roll_back_at(channel: grpc.Channel, target: str) -> RenderableType:
    """Make the version before live again on every worker of a server; what each of them says.

    Raises:
        WindowshopError: The server cannot be reached or refuses.
    """
    request = models_pb2.RollbackRequest()
    try:
        return _table(models_pb2_grpc.ModelServiceStub(channel).Rollback(request, timeout=_CALL_SECONDS))
    except grpc.RpcError as error:
        raise explain(error, target) from error


def _check(models: Path, version: str) -> None:
    wiring.build_pipeline(open_version(models, version), Settings())


def _sentence(version: str, before: str) -> str:
    return f"{version} is live" + (f", before it {before}" if before not in {"", version} else "")


def _table(outcome: Outcome) -> RenderableType:
    table = Table("worker", "process", "model", "")
    told = [(worker, "confirmed") for worker in outcome.confirmed_workers]
    told += [(worker, worker.problem or "pending") for worker in outcome.pending_workers]
    for worker, text in sorted(told, key=lambda each: each[0].number):
        table.add_row(str(worker.number), str(worker.process_id), worker.model_version, text)
    return Group(_sentence(outcome.version, outcome.previous_version), table)
