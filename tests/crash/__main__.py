"""`make crash`: kill -9 of workers, supervisor, publishers and all of them, at random moments and at named points."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crash.rounds import Crashes


def main() -> int:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windowshop-crash-") as folder:
        report = Crashes(Path(folder), options.seed).run(options.rounds, lambda line: print(line, flush=True))
    print(report.text())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
