"""Log lines as JSON objects, one a line, in which persons are tags and never ids."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """time, level, logger, process, message, then whatever `extra` gave, then the traceback.

    Args:
        hide: Puts tags in the place of what must not be named; sees every text of a line.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        line = {name: self._hide(value) if isinstance(value, str) else value for name, value in line.items()}
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr(hide: Callable[[str], str] = str, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr, as JSON, with tags for what must not be named."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(hide))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Of a header that is not UTF-8 gRPC logs all, be it a token; and a stranger could fill the log with them.
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_not_of_a_header)


def _is_not_of_a_header(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Invalid encoding on")


class PersonTag:
    """Names persons in logs by a keyed hash: the same person has the same tag, which without the key says nothing.

    Args:
        key: Secret of the state, shared by its workers.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, digest_size=32, person=b"windowshop-tag").digest()

    def of(self, person: str) -> str:
        """The tag of a user or session id."""
        return "~" + hashlib.blake2b(person.encode(), digest_size=6, key=self._key).hexdigest()

    def hide(self, text: str, persons: Iterable[str]) -> str:
        """The text with every id of these persons that stands as a word of its own replaced by its tag."""
        for person in sorted(filter(None, persons), key=len, reverse=True):
            for written in {person, repr(person)[1:-1]}:
                # Nearly always there is nothing to find, and a pattern costs a hundred times as much as a look.
                if written in text:
                    text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", self.of(person), text)
        return text
