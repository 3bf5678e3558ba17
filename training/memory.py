"""How much memory this process held at most, since it was last asked to forget."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_FORGET: Final = Path("/proc/self/clear_refs")
_PEAK: Final = "VmHWM:"


def peak_bytes() -> int:
    """The most resident memory since the last `forget_peak`, or since the start where the system cannot forget."""
    try:
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) * 1_024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def forget_peak() -> None:
    """Let the peak begin anew at what is resident now."""
    # Writing 5 resets the peak and nothing else (proc_pid_clear_refs(5)).
    with suppress(OSError):
        _FORGET.write_text("5", encoding="ascii")


def cpu_seconds() -> float:
    """CPU time of this process and of those of its children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
