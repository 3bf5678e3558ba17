"""Who may call what: every method that a server answers, each with the roles that it is open to.

A method that is not listed here is refused to everybody, so a new one needs its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What the holder of a token is to the shop."""

    #: Speaks for shoppers, any of them.
    FRONTEND = "frontend"
    #: Keeps the items.
    CATALOG = "catalog"
    #: May call everything.
    ADMIN = "admin"


_ADMIN: Final = frozenset({Role.ADMIN})
_FRONTEND: Final = _ADMIN | {Role.FRONTEND}
_CATALOG: Final = _ADMIN | {Role.CATALOG}
_ANY: Final = frozenset(Role)

_SERVICES: Final[Mapping[str, Mapping[str, frozenset[Role]]]] = {
    "recommender.api.v1.FeedService": {
        "GetFeed": _FRONTEND,
        "ListSimilarItems": _FRONTEND,
        "ExplainItem": _ADMIN,
    },
    "recommender.api.v1.EventService": {
        "RecordEvents": _FRONTEND,
        "StreamEvents": _FRONTEND,
    },
    "recommender.api.v1.CatalogService": {
        "UpsertItems": _CATALOG,
        "TakeDown": _CATALOG,
        "Restore": _CATALOG,
        "GetItem": _FRONTEND | _CATALOG,
    },
    "recommender.api.v1.PrivacyService": {
        "EraseUser": _ADMIN,
        "GetUserData": _ADMIN,
    },
    "recommender.api.v1.ModelService": {
        "ListModels": _ADMIN,
        "ActivateModel": _ADMIN,
        "Rollback": _ADMIN,
        "GetServingStatus": _ADMIN,
    },
    # It describes the API, which is no secret, but only to those who may call some of it.
    "grpc.reflection.v1alpha.ServerReflection": {
        "ServerReflectionInfo": _ANY,
    },
}

#: Roles by the path that a call names.
ROLES: Final[Mapping[str, frozenset[Role]]] = {
    f"/{service}/{method}": roles for service, methods in _SERVICES.items() for method, roles in methods.items()
}
#: Open without a token: balancers and probes ask it, and it says nothing but whether the server serves.
OPEN: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List", "/grpc.health.v1.Health/Watch"})
