"""Settings: one TOML file, then the environment, then flags; every key optional, unknown keys refused by name.

    [server] [feed] [state] [bundle] [train] [evaluate] [storefront]

`WINDOWSHOP_SECTION__KEY` overrides the file, for example `WINDOWSHOP_FEED__MODE=any`. Secrets come from files that
settings name, or from the environment as `SecretStr`; they are never printed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from recommender.errors import ConfigurationError
from recommender.types import EVENT_TYPES, Mode

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WEIGHTLESS = {"impression", "hide", "return"}


def parse_duration(value: object) -> object:
    """Seconds from a number or from text such as `90s`, `30m`, `12h`, `14d`.

    Example:
        >>> parse_duration("30m")
        1800.0
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write 90s, 30m, 12h or 14d")
    return float(match[1]) * _UNITS[match[2] or "s"]


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
#: {source: {parameter: value}}; training/models/README.md lists them.
Choices = dict[str, dict[str, float]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ServerSettings(_Section):
    """The processes that answer."""

    listen: str = Field("127.0.0.1:50051", description="Host and port of the gRPC server; port 0 picks a free one.")
    workers: int = Field(1, ge=1, le=256, description="Worker processes that share the port.")
    threads: int = Field(2, ge=1, le=64, description="Request threads per worker.")
    max_request_bytes: int = Field(1_310_720, ge=1_024, description="Larger messages are refused by gRPC itself.")
    max_concurrent_requests: int = Field(
        256,
        ge=1,
        description="Under way or waiting, per worker, feeds and others each; more, or what would wait too long, "
        "are refused SERVER_BUSY.",
    )
    request_timeout: Seconds = Field(10.0, description="How long a request may take to arrive once its call is open.")
    stream_pause: Seconds = Field(300.0, description="How long a stream may pause between two messages.")
    drain: Seconds = Field(10.0, description="How long SIGTERM waits for requests under way.")
    slow_request: Seconds = Field(0.25, description="A request that takes longer leaves a log line.")
    log_every: int = Field(1_000, ge=0, description="One request in so many leaves a log line as a sample; 0 for none.")
    metrics_listen: str = Field(
        "", description="Host and port of /metrics over HTTP, such as 127.0.0.1:9464; empty for none, port 0 picks one."
    )
    insecure: bool = Field(False, description="Allow listening beyond loopback without tokens and TLS.")
    tokens: SecretStr | None = Field(
        None, description="Access tokens as in tokens_file, or parted by commas; the environment's place for them."
    )
    tokens_file: Path | None = Field(
        None, description="File of access tokens, one `ROLE TOKEN` a line; roles are frontend, catalog and admin."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the server's certificate, then those that vouch for it; with tls_key, TLS is on."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key, not encrypted.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file of authorities; clients must then show a certificate of one of them."
    )


class FeedSettings(_Section):
    """What a feed is made of."""

    mode: Mode = Field(
        Mode.DISCOVER, description="discover hides what the user bought in the last discover_days; any does not."
    )
    discover_days: int = Field(90, ge=0, description="For how long a purchase hides its item in discover mode.")
    snapshot_items: int = Field(1_000, ge=1, le=10_000, description="Ranked candidates and tail kept for paging.")
    token_ttl: Seconds = Field(1_800.0, description="How long a page token lives after its last use.")
    receipt_ttl: Seconds = Field(604_800.0, description="How long a card's receipt is valid.")
    deadline_ms: int = Field(500, ge=10, description="Assumed where the client sends no deadline.")
    source_limit: int = Field(200, ge=1, le=2_000, description="Rows that each source may retrieve.")
    value: tuple[str, ...] = Field(
        (),
        description="What the probability of the target is multiplied by: `price`, or numeric item attributes such as "
        "`margin`; empty ranks by relevance.",
    )
    diversity: float = Field(
        0.1,
        ge=0,
        le=0.99,
        description="What variety may cost: 0 is the plain score order without any cap; at d, a card just like one of "
        "the last diversity_slots counts as 20 d / (1 - d) places lower.",
    )
    diversity_slots: int = Field(10, ge=1, le=100, description="Slots in a row that likeness and caps look over.")
    duplicate_likeness: float = Field(
        0.99, gt=0, description="From which cosine on an item counts as one shown again; 2 for never."
    )
    duplicate_places: float = Field(10.0, ge=0, description="Places that an item falls further for being shown again.")
    personal_every: int = Field(
        10,
        ge=0,
        description="One slot in so many goes to what suits this person more than it usually suits people; 0 for none.",
    )
    max_per_category: int = Field(3, ge=0, description="Cards of one category in so many slots; 0 for no cap.")
    category_level: int = Field(2, ge=1, description="Level at which categories are counted, 1 for the top.")
    max_per_seller: int = Field(0, ge=0, description="Cards of one seller in so many slots; 0 for no cap.")
    other_kinds_every: int = Field(
        5, ge=0, description="At most one card that is no product in so many slots, never two of a kind; 0 for any."
    )
    signing_key: SecretStr | None = Field(
        None, description="Keys as in signing_key_file; the environment's place for them."
    )
    signing_key_file: Path | None = Field(
        None,
        description="File of keys of tokens and receipts, one a line, 32 characters or more; the first signs.",
    )


class StateSettings(_Section):
    """Events, snapshots and served records."""

    durability: Literal["disk", "process"] = Field(
        "disk", description="disk: fsync before the reply; process: survives kill -9, not a power cut."
    )
    history_events: int = Field(1_000, ge=1, description="Newest events of a user that a request reads.")
    retention: Seconds = Field(34_128_000.0, description="How long events are kept (default 395 days, least 30).")
    served_retention: Seconds = Field(2_592_000.0, description="How long served records are kept (30 days).")
    snapshot_bytes: int = Field(
        4 * 2**30, ge=2**20, description="Disk for lists being paged; beyond it the soonest to expire go (4 GiB)."
    )


class BundleSettings(_Section):
    """What a published model holds."""

    min_index_recall: float = Field(
        0.98, ge=0, le=1, description="Least recall@100 of an index against exact search; below it, exact is built."
    )
    exact_below_items: int = Field(20_000, ge=0, description="Catalogues smaller than this get an exact index.")
    neighbours: int = Field(200, ge=1, le=1_000, description="Length of each item's neighbour list.")
    history_events: int = Field(1_000, ge=0, description="Newest events per user that a bundle carries.")
    keep_versions: int = Field(5, ge=1, description="Versions kept in the models folder beside the live one.")


class TrainSettings(_Section):
    """The nightly job."""

    event_weights: dict[str, float] = Field(
        default_factory=lambda: {name: float(name not in _WEIGHTLESS) for name in EVENT_TYPES},
        description="Weight of each event type in retrieval; a type left out keeps its default, an unknown one 0.",
    )
    target: str = Field("purchase", description="Event type that the ranker learns to foresee.")
    sources: tuple[str, ...] = Field(
        (
            *("cooccurrence", "als", "gfcf", "friends", "own_frequency", "content", "newcomers"),
            *("popularity_recent", "popularity_category"),
        ),
        description="Retrieval models to fit and serve; `ease` is one more.",
    )
    window: Seconds = Field(1_209_600.0, description="Length of the ranker's and the choice's windows (14 days).")
    teaching_windows: int = Field(
        3, ge=1, le=12, description="Windows that teach the ranker, each with sources fitted on what lies before it."
    )
    max_reject_rate: float = Field(0.05, ge=0, le=1, description="Larger shares of unusable rows stop the run.")
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of every draw.")
    threads: int = Field(2, ge=1, le=64, description="Threads of the fits that use more than one.")
    memory: str = Field("4GB", description="Limit of the log reader; beyond it, it spills to disk.")
    shapes: Choices = Field({}, description="How sources are fitted, such as `als.factors`; left out, it is chosen.")
    recencies: Choices = Field({}, description="How fast their histories fade, `als.limit`; left out, it is chosen.")
    als_iterations: int = Field(15, ge=1, le=200, description="Sweeps of ALS.")
    half_life: Seconds = Field(15_552_000.0, description="Decay of interactions in fits (180 days).")
    popularity_half_life: Seconds = Field(604_800.0, description="Decay of recent popularity (7 days).")
    content_dim: int = Field(64, ge=2, le=512, description="Length of the content vectors.")
    max_example_users: int = Field(3_000, ge=10, description="Users that a ranker's window is sampled down to.")
    most_trees: int = Field(500, ge=1, le=5_000, description="Trees of the ranker at most; validation stops sooner.")
    gate: bool = Field(True, description="Compare with the live bundle before promotion.")

    def weight_of(self, event_type: str) -> float:
        """Weight of a type: configured, else the default of a known one, else 0."""
        if event_type in self.event_weights:
            return self.event_weights[event_type]
        return float(event_type in EVENT_TYPES and event_type not in _WEIGHTLESS)


class EvaluateSettings(_Section):
    """Offline evaluation."""

    resamples: int = Field(2_000, ge=100, description="Bootstrap resamples over users.")
    seed: int = Field(20_26, ge=0, description="Seed of the bootstrap and of the random baseline.")
    diversity: float = Field(
        0.0, ge=0, le=0.99, description="feed.diversity of the evaluated pipeline; 0 ranks by score alone."
    )


class StorefrontSettings(_Section):
    """The demo shop page; it has no settings yet."""


class Settings(BaseSettings):
    """All sections, frozen."""

    model_config = SettingsConfigDict(
        env_prefix="WINDOWSHOP_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    server: ServerSettings = ServerSettings()
    feed: FeedSettings = FeedSettings()
    state: StateSettings = StateSettings()
    bundle: BundleSettings = BundleSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    storefront: StorefrontSettings = StorefrontSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file arrives as init values, so the environment stands before it."""
        return env_settings, init_settings

    def values_of(self, *names: str) -> dict[str, Any]:
        """Sections (`train`) and single keys (`feed.mode`) as they go into JSON, secrets left out."""
        values = self.model_dump(mode="json", exclude={"server": {"tokens"}, "feed": {"signing_key"}})
        return {name: functools.reduce(lambda part, key: part[key], name.split("."), values) for name in names}

    def hash_of(self, *names: str) -> str:
        """SHA-256 of `values_of` as canonical JSON."""
        return hashlib.sha256(json.dumps(self.values_of(*names), sort_keys=True).encode()).hexdigest()


def load_settings(path: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Settings from a TOML file, the environment and flags, the later winning.

    Args:
        path: TOML file, or None for defaults.
        flags: {section: {key: value}}; None values are ignored.

    Raises:
        ConfigurationError: The file cannot be read, or a key is unknown or wrong; the message names each.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"cannot read configuration {path}: {error}") from error
    try:
        settings = Settings(**values)
        overrides = {
            section: {key: value for key, value in keys.items() if value is not None}
            for section, keys in (flags or {}).items()
        }
        updated = {
            section: type(getattr(settings, section))(
                **{**getattr(settings, section).model_dump(exclude_unset=True), **keys}
            )
            for section, keys in overrides.items()
            if keys
        }
        return settings.model_copy(update=updated)
    except ValidationError as error:
        # What a flag set is looked at by its section alone, whose class is named after it.
        section = [error.title.removesuffix("Settings").lower()] if error.title != "Settings" else []
        problems = "; ".join(_problem(".".join(map(str, (*section, *e["loc"]))), e) for e in error.errors())
        origin = f"configuration {path}" if path is not None else "configuration"
        raise ConfigurationError(f"{origin}: {problems}") from error


def _problem(key: str, details: Mapping[str, Any]) -> str:
    if details["type"] == "extra_forbidden":
        return f"there is no setting {key}; recommender/README.md lists all"
    return f"{key}: {details['msg'].removeprefix('Value error, ')}"
