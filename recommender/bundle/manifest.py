"""The manifest: what a bundle is, where it came from, and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from recommender.errors import BundleError
from recommender.types import Mode

FORMAT_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"


class Manifest(BaseModel):
    """Everything about a bundle that is not an array.

    `sources` maps each source's name to its parameters; the file holds them in alphabetical order, and so stand the
    columns of candidates. `ranker` names the ranker and its parameters. `created` is the only field that differs
    between two runs on the same input, so `digest` covers all but it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = FORMAT_VERSION
    version: str
    created: str
    data_start: str | None = Field(description="First event, ISO-8601 UTC; null for logs without times.")
    data_end: str | None = Field(description="Last event, ISO-8601 UTC.")
    now_ms: int = Field(description="The moment the models look back from.")
    catalogue_as_of: str | None = Field(description="What was sent of items before is in them; null: nobody says so.")
    timed: bool = Field(description="False where the log has no times: then order and recency are not used.")
    mode: Mode
    target: str
    counts: dict[str, int] = Field(description="How many of what; `items` is always among them.")
    dimensions: dict[str, int]
    seed: int
    config_hash: str
    event_types: list[str]
    event_weights: dict[str, float]
    sources: dict[str, dict[str, Any]]
    ranker: dict[str, Any]
    metrics: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 by path inside the bundle.")
    digest: str = Field(default="", description="SHA-256 of every other field but `created`, as canonical JSON.")

    @field_validator("counts")
    @classmethod
    def _counts_items(cls, counts: dict[str, int]) -> dict[str, int]:
        if counts.get("items", -1) < 0:
            raise ValueError("the number of items is missing or negative")
        return counts

    def own_digest(self) -> str:
        """What `digest` has to be."""
        fields = self.model_dump(mode="json", exclude={"created", "digest"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write canonical JSON: sorted keys, a newline at the end."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True)
        (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle folder.

    Raises:
        BundleError: There is none, it is damaged or not ours, or it has another format version.
    """
    path = folder / MANIFEST_NAME
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{folder} is not a bundle: cannot read {MANIFEST_NAME} ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"bundle {folder} is damaged: {MANIFEST_NAME} is not JSON ({error})") from error
    found = payload.get("format_version") if isinstance(payload, dict) else None
    if found != FORMAT_VERSION:
        raise BundleError(
            f"bundle {folder} has format version {found}, this build reads {FORMAT_VERSION}: train it again"
        )
    try:
        manifest = Manifest.model_validate(payload)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, each["loc"])) for each in error.errors()[:5])
        raise BundleError(f"bundle {folder} is damaged: {MANIFEST_NAME} is wrong at {where}") from error
    if manifest.digest != manifest.own_digest():
        raise BundleError(f"bundle {folder} is damaged: {MANIFEST_NAME} does not match its digest; train it again")
    return manifest
