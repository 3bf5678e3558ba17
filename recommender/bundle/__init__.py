"""The bundle: all that training hands to serving, as files that hold data and never code; see README.md."""

from recommender.bundle.listing import ListedModel, ModelState, list_models
from recommender.bundle.live import activate, open_version, previous_version, roll_back
from recommender.bundle.manifest import FORMAT_VERSION, Manifest
from recommender.bundle.read import Bundle, current_version, list_versions, open_bundle
from recommender.bundle.strings import IdIndex, StringColumn
from recommender.bundle.write import BundleWriter

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "BundleWriter",
    "IdIndex",
    "ListedModel",
    "Manifest",
    "ModelState",
    "StringColumn",
    "activate",
    "current_version",
    "list_models",
    "list_versions",
    "open_bundle",
    "open_version",
    "previous_version",
    "roll_back",
]
