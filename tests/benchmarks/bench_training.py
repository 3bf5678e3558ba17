"""What the nightly job costs beside one fit of `implicit` on the same matrix.

    python -m tests.benchmarks.bench_training [--users N] [--items N] [--events N] [--repeats N]

Both read the same seeded log from Parquet and fit ALS with the same factors, iterations and threads. The job then does
what a bare fit does not: three fits of every source (two folds and all), tuning, examples, ranker, choice, index,
bundle, gate. Each run is a process of its own, in turn; printed are seconds, CPU seconds and peak memory of the whole
process, and the ratios round by round.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

SEED = 42
FACTORS, ITERATIONS, THREADS = 64, 15, 2
_CHILDREN = {"windowshop": "_nightly", "implicit": "_implicit"}


def _write_log(path: Path, n_users: int, n_items: int, n_events: int) -> None:
    """A seeded log: popularity falls off like a power law, everybody has a taste, a tenth of the views is bought."""
    # Squared and cubed uniforms crowd the low numbers; ids are scrambled, so that their order says nothing.
    duckdb.sql(f"SELECT setseed({SEED / 100})")
    duckdb.sql(f"""
        CREATE TABLE draws AS SELECT floor(power(random(), 2) * {n_users})::BIGINT AS u, random() AS r, random() AS t,
            floor(power(random(), 3) * {n_items // 25})::BIGINT AS x
        FROM range({n_events})
    """)
    duckdb.sql(f"""
        COPY (
            SELECT 'u' || hash(u) AS user_id, 'i' || hash((u % 50 * {n_items // 50} + x) % {n_items}) AS item_id,
                CASE WHEN r < 0.1 THEN 'purchase' ELSE 'view' END AS event_type,
                1700000000000 + (t * 90 * 86400000)::BIGINT AS timestamp
            FROM draws
        ) TO '{path}' (FORMAT parquet)
    """)


def _nightly(events: Path) -> None:
    from recommender.config import load_settings
    from training.inputs import InputPaths
    from training.nightly import NightlyJob, train
    from training.progress import SilentProgress

    sizes = {"shapes": {"als": {"factors": FACTORS}}, "als_iterations": ITERATIONS, "threads": THREADS}
    settings = load_settings(None, {"train": sizes})
    with tempfile.TemporaryDirectory() as folder:
        train(NightlyJob(InputPaths(events), Path(folder), settings), SilentProgress())


def _implicit(events: Path) -> None:
    import scipy.sparse as sp
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    connection = duckdb.connect()
    codes = connection.execute(f"""
        SELECT dense_rank() OVER (ORDER BY user_id) - 1 AS u, dense_rank() OVER (ORDER BY item_id) - 1 AS i
        FROM '{events}'
    """).fetchnumpy()
    matrix = sp.coo_matrix(([1.0] * len(codes["u"]), (codes["u"], codes["i"]))).tocsr()
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=FACTORS, iterations=ITERATIONS, num_threads=THREADS, random_state=SEED, alpha=10.0
        )
        model.fit(matrix.astype("float32"), show_progress=False)


def _measure(name: str, events: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak GB of one run in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_training", "--child", name, "--log", str(events)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu, peak_kb = (float(value) for value in done.stdout.split()[-2:])
    return time.perf_counter() - started, cpu, peak_kb / 1e6


def _child(name: str, events: Path) -> None:
    {"windowshop": _nightly, "implicit": _implicit}[name](events)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss)


def main() -> None:
    """Run both in turn and print medians, spread and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", choices=sorted(_CHILDREN))
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.log)
        return
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.parquet"
        _write_log(events, options.users, options.items, options.events)
        rounds = [{name: _measure(name, events) for name in _CHILDREN} for _ in range(options.repeats)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    sizes = f"{options.events:,} events, {options.users:,} users, {options.items:,} items"
    print(f"{sizes}, seed {SEED}, {options.repeats} rounds")
    print(f"{'':14}{'seconds':>24}{'CPU seconds':>24}{'peak GB':>20}")
    for name in _CHILDREN:
        cells = [_spread([one[name][place] for one in rounds]) for place in range(3)]
        print(f"{name:14}{cells[0]:>24}{cells[1]:>24}{cells[2]:>20}")
    ratios = [_spread([one["windowshop"][place] / one["implicit"][place] for one in rounds]) for place in range(3)]
    print(f"{'ratio':14}{ratios[0]:>24}{ratios[1]:>24}{ratios[2]:>20}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} {max(values):.2f}]"


if __name__ == "__main__":
    main()
