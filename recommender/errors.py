"""Every error that Windowshop raises on purpose.

    WindowshopError                 exit code, one clear sentence
    ├── InputError                  2   a file, column or row that cannot be used
    ├── ConfigurationError          2   a setting that is unknown, wrong or contradictory
    ├── BundleError                 2   a bundle that is damaged, foreign or of another format
    ├── StateError                  2   state that is damaged or of another schema version
    │   └── StateFullError              the disk under the state is full; feeds go on
    ├── GateRefusedError            3   the promotion gate kept the live bundle
    └── RequestError                    a request that is refused; carries what gRPC answers

A message says what was got, what was wanted, and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class WindowshopError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class InputError(WindowshopError):
    """Input that cannot be used: names the file, column or row."""

    exit_code = 2


class ConfigurationError(WindowshopError):
    """A setting that is unknown, out of range or in contradiction with another."""

    exit_code = 2


class BundleError(WindowshopError):
    """A model bundle that must not be served: damaged, foreign, or of another format version."""

    exit_code = 2


class StateError(WindowshopError):
    """State that cannot be opened: damaged, in use by another layout, or of another schema version."""

    exit_code = 2


class StateFullError(StateError):
    """The disk under the state is full; nothing was acknowledged, reads go on."""


class GateRefusedError(WindowshopError):
    """The promotion gate found the new bundle worse than the live one, which stays."""

    exit_code = 3


@dataclass
class RequestError(WindowshopError):
    """A refused request, free of gRPC: the service turns it into a google.rpc.Status.

    Args:
        code: Name of the gRPC status code, such as `INVALID_ARGUMENT`.
        reason: ErrorInfo reason in UPPER_SNAKE, such as `PAGE_TOKEN_EXPIRED`.
        message: What was got, what was wanted, what to do next.
        violations: (field path, description) pairs; at most 20 are sent.
        retry_seconds: How long to wait before sending it again, 0 where that is not said.
    """

    code: str
    reason: str
    message: str
    violations: list[tuple[str, str]] = field(default_factory=list)
    retry_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
