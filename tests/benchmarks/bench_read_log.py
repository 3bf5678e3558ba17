"""Reading a large event log by windowshop, by bare DuckDB and by polars, each doing the same.

    python -m tests.benchmarks.bench_read_log [--rows 20000000] [--rounds 3] [--threads 2]

The same is: ids to integer codes of sorted vocabularies, the vocabularies as lists of text, event types to codes, times
as int64, and rows counted that cannot be used. Every run is a process of its own; readers take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

SEED = 42
N_USERS = 1_000_000
N_ITEMS = 200_000
CHUNK = 2_000_000
NOW_MS = 1_750_000_000_000
TYPES = ("view", "click", "cart", "purchase")
Columns = tuple[list[str], list[str], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], int]


def make_log(path: Path, n_rows: int) -> None:
    """A Parquet log: uniform users, Zipf items, ascending times, ids of 12 characters."""
    import duckdb

    rng = np.random.default_rng(SEED)
    shares = np.cumsum(1.0 / np.arange(1, N_ITEMS + 1))
    names = rng.permutation(N_ITEMS)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE log(u INTEGER, i INTEGER, t UTINYINT, ms BIGINT)")
        for start in range(0, n_rows, CHUNK):
            n = min(CHUNK, n_rows - start)
            chunk = {
                "u": rng.integers(0, N_USERS, n, dtype=np.int32),
                "i": names[np.searchsorted(shares, rng.random(n) * shares[-1])].astype(np.int32),
                "t": rng.choice(len(TYPES), n, p=[0.7, 0.15, 0.1, 0.05]).astype(np.uint8),
                "ms": 1_700_000_000_000 + np.arange(start, start + n) * 400 + rng.integers(0, 400, n),
            }
            assert chunk  # DuckDB finds it by its name
            connection.execute("INSERT INTO log SELECT * FROM chunk")
        connection.execute(
            "COPY (SELECT 'u' || substr(md5(u::VARCHAR), 1, 11) AS user_id,"
            " 'i' || substr(md5(i::VARCHAR), 1, 11) AS item_id,"
            f" {list(TYPES)}[t + 1] AS event_type, ms AS timestamp FROM log)"
            f" TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        )


def read_by_windowshop(path: Path, threads: int) -> Columns:
    """`read_events`, in file order."""
    from recommender.logs import read_events

    table = read_events(path, rejects_dir=None, threads=threads, now_ms=NOW_MS)
    codes = table.types.astype(np.int32)
    assert len(codes) == len(table)
    return table.user_ids, table.item_ids, table.users, table.items, table.times_ms, sum(table.report.rejected.values())


def read_by_duckdb(path: Path, threads: int) -> Columns:
    """Distinct ids, two joins, one `fetchnumpy`; rows come in any order, which saves it putting them back."""
    import duckdb

    usable = "id <> '' AND strlen(id) <= 256 AND NOT regexp_matches(id, '\\p{Cc}')"
    with duckdb.connect(config={"threads": threads}) as connection:
        log = f"read_parquet('{path}')"
        for name in ("user_id", "item_id"):
            connection.execute(f"CREATE TEMP TABLE found AS SELECT DISTINCT {name} AS id FROM {log}")
            connection.execute(
                f"CREATE TEMP TABLE {name}s AS SELECT id, (row_number() OVER () - 1)::INTEGER AS code"
                f" FROM (SELECT id FROM found WHERE {usable} ORDER BY id); DROP TABLE found"
            )
        cases = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(TYPES))
        columns = connection.execute(
            "SELECT coalesce(user_ids.code, -1) AS u, item_ids.code AS i,"
            f" (CASE event_type {cases} END)::UTINYINT AS t, timestamp FROM {log} AS log"
            " LEFT JOIN user_ids ON user_id = user_ids.id LEFT JOIN item_ids ON item_id = item_ids.id"
            " WHERE item_ids.code IS NOT NULL AND event_type IS NOT NULL AND timestamp >= 0"
            f" AND timestamp <= {NOW_MS + 86_400_000}"
        ).fetchnumpy()
        n_rows = connection.execute(f"SELECT count(*) FROM {log}").fetchall()[0][0]
        ids = [
            connection.execute(f"SELECT id FROM {name}s ORDER BY code").fetchnumpy()["id"].tolist()
            for name in ("user_id", "item_id")
        ]
    return ids[0], ids[1], columns["u"], columns["i"], columns["timestamp"], n_rows - len(columns["i"])


def read_by_polars(path: Path, threads: int) -> Columns:
    """Casts to Enums of the sorted ids, one column after another: the fastest and leanest of the ways tried."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    def coded(name: str) -> tuple[list[str], pl.Series]:
        column = pl.read_parquet(path, columns=[name])[name]
        ids = column.unique().drop_nulls().sort()
        usable = (ids != "") & (ids.str.len_bytes() <= 256) & ~ids.str.contains(r"\p{Cc}")
        ids = ids.filter(usable)
        return ids.to_list(), column.cast(pl.Enum(ids), strict=False).to_physical().cast(pl.Int32)

    user_ids, users = coded("user_id")
    item_ids, items = coded("item_id")
    types = pl.read_parquet(path, columns=["event_type"])["event_type"].cast(pl.Enum(TYPES), strict=False).to_physical()
    times = pl.read_parquet(path, columns=["timestamp"])["timestamp"]
    keep = items.is_not_null() & types.is_not_null() & (times >= 0) & (times <= NOW_MS + 86_400_000)
    columns = (
        (users.fill_null(-1), items, times)
        if keep.all()
        else (users.filter(keep), items.filter(keep), times.filter(keep))
    )
    arrays = [column.to_numpy() for column in columns]
    return user_ids, item_ids, arrays[0], arrays[1], arrays[2], len(keep) - int(keep.sum())


READERS: dict[str, Callable[[Path, int], Columns]] = {
    "windowshop": read_by_windowshop,
    "duckdb": read_by_duckdb,
    "polars": read_by_polars,
}


def run_reader(name: str, path: Path, threads: int) -> None:
    """Read once in this process and print what it cost, with sums that show that all read the same."""
    __import__({"windowshop": "recommender.logs"}.get(name, name))
    started, busy = time.perf_counter(), time.process_time()
    user_ids, item_ids, users, items, times, rejected = READERS[name](path, threads)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    check = [len(user_ids), len(item_ids), len(items), rejected]
    check += [int(column.sum(dtype=np.int64)) for column in (users, items, times // 1_000)]
    # Pairs of codes, so that rows that were torn apart would show.
    check.append(int((users.astype(np.int64) * items % 1_000_003).sum()))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak_mb, "check": check}))


def in_a_process(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.bench_read_log", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure(path: Path, rounds: int, threads: int) -> dict[str, list[dict[str, float]]]:
    """Every reader in turn, `rounds` times."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    checks = set()
    for _ in range(rounds):
        for name in READERS:
            result = json.loads(in_a_process("--reader", name, "--path", str(path), "--threads", str(threads)))
            checks.add(tuple(result.pop("check")))
            results[name].append(result)
    if len(checks) != 1:
        raise SystemExit(f"the readers did not read the same: {checks}")
    return results


def print_table(results: dict[str, list[dict[str, float]]]) -> None:
    """Median and range of each figure, and each reader's ratio to windowshop's median."""
    print(f"{'reader':<12}{'seconds':>22}{'CPU seconds':>22}{'peak MB':>24}{'ratios s/CPU/MB':>20}")
    middle = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in results.items()
    }
    for name, runs in results.items():
        cells = []
        for key, digits in (("seconds", 1), ("cpu", 1), ("peak_mb", 0)):
            values = [run[key] for run in runs]
            cells.append(f"{middle[name][key]:.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})")
        ratios = "/".join(
            f"{middle[name][key] / middle['windowshop'][key]:.2f}" for key in ("seconds", "cpu", "peak_mb")
        )
        print(f"{name:<12}{cells[0]:>22}{cells[1]:>22}{cells[2]:>24}{ratios:>20}")


def processor() -> str:
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Make the log, let the readers take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reader", choices=list(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.path is not None:
        if arguments.reader is None:
            make_log(arguments.path, arguments.rows)
        else:
            run_reader(arguments.reader, arguments.path, arguments.threads)
        return
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as folder:
        path = Path(folder) / "log.parquet"
        # Not in this process: what starts a reader must be small, since its size would count as the reader's peak.
        in_a_process("--path", str(path), "--rows", str(arguments.rows))
        megabytes = path.stat().st_size / 1e6
        load = os.getloadavg()[0]
        results = measure(path, arguments.rounds, arguments.threads)
    print(f"Reading {arguments.rows:,} events of {N_USERS:,} users ({megabytes:,.0f} MB of Parquet), seed {SEED}")
    print(f"{processor()}, {os.cpu_count()} cores, load {load:.1f} before; {arguments.threads} threads each")
    print(f"Python {platform.python_version()}, duckdb {version('duckdb')}, polars {version('polars')}")
    print(f"Median (range) of {arguments.rounds} runs, readers in turn; ratios to windowshop, above 1 it is better\n")
    print_table(results)


if __name__ == "__main__":
    main()
