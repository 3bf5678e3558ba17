"""`windowshop serve` with kill points: `python -m tests.crash.serve MODELS STATE WORKERS DURABILITY`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from recommender.config import load_settings
from recommender.service.serving import serve


def main(models: str, state: str, workers: str, durability: str) -> None:
    flags: dict[str, dict[str, Any]] = {
        "server": {"listen": "127.0.0.1:0", "workers": int(workers), "metrics_listen": ""},
        "state": {"durability": durability},
    }
    settings = load_settings(None, flags)
    serve(
        Path(models), Path(state), settings, lambda line: print(line, flush=True), preload=["tests.crash.kill_points"]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
