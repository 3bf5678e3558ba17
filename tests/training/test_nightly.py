"""The nightly job: the same bundle from the same input, whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import current_version, list_versions, open_bundle
from recommender.bundle.runs import read_runs
from recommender.config import Settings, load_settings
from recommender.errors import ConfigurationError, GateRefusedError, InputError
from recommender.logs import EdgeRow, LoggedRow, erased_hash, write_edges, write_erased
from recommender.state.live_items import LiveItem
from recommender.types import DAY_MS, FeedQuery, Item
from recommender.wiring import build_pipeline
from tests.feed.shops import Shop
from tests.training.small_log import DAYS, START_MS, small_rows, small_settings, write_small_log
from training.inputs import InputPaths
from training.models.parameters import RECENCIES
from training.nightly import NightlyJob, PublishedVersion, train
from training.progress import SilentProgress

#: Every stage that the job names, in order; a run is killed in each.
STAGES = (
    "read",
    "split",
    "shape",
    "fit teach cooccurrence",
    "fit teach als",
    "fit choose content",
    "tune",
    "examples",
    "rank",
    "choose",
    "fit all als",
    "gate",
    "publish",
)
# Imports what is slow once, then forks a job for each line of its input: starting Python a dozen times would be most of
# the test. scikit-learn brings pyarrow where it is installed, whose allocator keeps a thread of its own, and what is
# forked beside a thread may hang for ever: so that is left to the children. A child that hangs says where, and ends.
_HOST = """
import faulthandler, os, sys
from pathlib import Path
import duckdb, faiss, implicit, numba, scipy.sparse
assert len(os.listdir("/proc/self/task")) == 1, "nothing with threads may be imported before the fork"
folder, models = Path(sys.argv[1]), Path(sys.argv[2])
for _ in sys.stdin:
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(100, exit=True)
        from tests.training.small_log import small_settings
        from training.inputs import InputPaths
        from training.nightly import NightlyJob, train
        from training.progress import PlainProgress
        print("pid", os.getpid(), flush=True)
        job = NightlyJob(InputPaths(folder / "events.parquet", folder / "items.parquet"), models, small_settings())
        train(job, PlainProgress(lambda line: print(line, flush=True)))
        os._exit(0)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> InputPaths:
    return write_small_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, paths: InputPaths) -> Path:
    """A models folder with one published version."""
    folder = tmp_path_factory.mktemp("models")
    run(paths, folder)
    return folder


def run(
    paths: InputPaths,
    models: Path,
    settings: Settings | None = None,
    now_ms: int | None = None,
    items_as_of_ms: int | None = None,
) -> PublishedVersion:
    return train(NightlyJob(paths, models, settings or small_settings(), now_ms, items_as_of_ms), SilentProgress())


def hashes(models: Path) -> dict[str, str]:
    """SHA-256 of every file of the live bundle but its manifest."""
    folder = models / str(current_version(models))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def test_the_published_bundle_opens_verified_and_serves_a_personal_feed(models: Path) -> None:
    bundle = open_bundle(models / str(current_version(models)))
    pipeline = build_pipeline(bundle, small_settings())
    slates = [
        pipeline.run(FeedQuery(now_ms=bundle.manifest.now_ms, user_id=user, history=bundle.history(user)), 10)[0]
        for user in ("u1", "u2")
    ]
    assert all(len(slate) == 10 for slate in slates)
    assert set(slates[0].rows.tolist()) != set(slates[1].rows.tolist())
    assert bundle.manifest.counts["users"] == 420
    assert bundle.manifest.metrics["choose"]["ndcg@20"]["cooccurrence"] > 0.1


def test_two_runs_on_the_same_input_give_the_same_bytes(models: Path, paths: InputPaths, tmp_path: Path) -> None:
    run(paths, tmp_path)
    assert hashes(tmp_path) == hashes(models)
    ours = open_bundle(tmp_path / str(current_version(tmp_path))).manifest
    theirs = open_bundle(models / str(current_version(models))).manifest
    assert ours.model_copy(update={"created": ""}) == theirs.model_copy(update={"created": ""})


def test_the_resolved_configuration_gives_the_same_version_with_nothing_left_to_choose(
    models: Path, paths: InputPaths, tmp_path: Path
) -> None:
    version = str(current_version(models))
    settings = load_settings(models / version / "resolved.toml")
    assert set(settings.train.shapes) == {"cooccurrence", "als", "gfcf"}
    assert set(settings.train.recencies) == set(RECENCIES) - {"ease", "friends"}
    assert run(paths, tmp_path, settings).version == version
    assert hashes(tmp_path) == hashes(models)


def test_what_a_search_found_is_told_and_its_resolved_configuration_gives_the_same_version(
    paths: InputPaths, tmp_path: Path
) -> None:
    few = small_settings(sources=("cooccurrence", "own_frequency", "popularity_recent"))
    job = NightlyJob(paths, tmp_path / "searched", few, budget_seconds=2.0)
    searched = train(job, SilentProgress())
    told = json.loads((tmp_path / "searched" / "run.json").read_text())["search"]
    assert told["trials"] > 0
    resolved = load_settings(searched.folder / "resolved.toml")
    assert run(paths, tmp_path / "resolved", resolved).version == searched.version
    assert hashes(tmp_path / "resolved") == hashes(tmp_path / "searched")


def test_shapes_that_no_source_has_are_refused_by_name(paths: InputPaths, tmp_path: Path) -> None:
    for wrong, said in (
        ({"shapes": {"bpr": {"dim": 8}}}, "train.shapes.bpr: wanted one of als, cooccurrence"),
        ({"shapes": {"als": {"dim": 8}}}, "train.shapes.als.dim: wanted one of factors, alpha"),
        ({"shapes": {"als": {"factors": 1}}}, "train.shapes.als.factors: 1 is too small, wanted 2 or more"),
        ({"recencies": {"als": {"days": 8}}}, "train.recencies.als.days: wanted one of half_life_days"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            run(paths, tmp_path, small_settings(**wrong))


def test_a_run_killed_in_any_stage_goes_on_and_gives_the_same_bundle(
    models: Path, paths: InputPaths, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _HOST, str(paths.events.parent), str(tmp_path)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=one_thread
    ) as host:
        ends = [_killed_in(stage, host) for stage in STAGES]
    # The kill and the stage's end race, but no job may have failed by itself, and most must have been caught.
    assert set(ends) <= {-signal.SIGKILL, 0}
    assert ends.count(-signal.SIGKILL) >= len(STAGES) - 3
    run(paths, tmp_path)
    assert hashes(tmp_path) == hashes(models)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".aside")]


def _killed_in(stage: str, host: subprocess.Popen[str]) -> int:
    """Start a job, kill it as it enters the stage, and tell how it ended."""
    assert host.stdin is not None
    assert host.stdout is not None
    host.stdin.write(f"{stage}\n")
    pid = int(host.stdout.readline().split()[1])
    for line in host.stdout:
        if line.startswith(f"{stage}: started"):
            os.kill(pid, signal.SIGKILL)
        if line.startswith("ended"):
            return int(line.split()[1])
    raise AssertionError("the host ended")


def test_what_happens_after_now_changes_no_byte(models: Path, tmp_path: Path) -> None:
    rows = small_rows()
    now_ms = max(row.time_ms or 0 for row in rows)
    planted = [LoggedRow(f"u{n}", "i3", "purchase", now_ms + n + 1) for n in range(300)]
    run(write_small_log(tmp_path / "log", [*rows, *planted]), tmp_path / "models", now_ms=now_ms)
    # Histories, items, models: all equal; only the key in the version's name tells that the input was another.
    assert hashes(tmp_path / "models") == hashes(models)


def test_what_was_sent_of_an_item_gives_way_only_to_an_items_file_that_can_have_known_it(
    models: Path, paths: InputPaths, tmp_path: Path
) -> None:
    # Long before the log's last event, which says nothing of the items file.
    sent_ms, few = START_MS + DAY_MS, small_settings(sources=["cooccurrence", "popularity_recent"])
    shop = Shop.open(open_bundle(models / str(current_version(models))), tmp_path / "state")
    try:
        sent = [LiveItem(Item("i3", title="sent"), sent_ms), LiveItem(Item("i4", title="sent"), sent_ms + 1)]
        shop.state.live_items.upsert(sent)
        assert [title(shop, "i3"), title(shop, "i4")] == ["sent", "sent"]
        # A minute is left for commits under way and for clocks that differ.
        shop.swap(open_bundle(run(paths, tmp_path / "models", few, items_as_of_ms=sent_ms + 60_001).folder))
        assert [title(shop, "i3"), title(shop, "i4")] == ["lamp no 3", "sent"]
    finally:
        shop.state.close()


def title(shop: Shop, item_id: str) -> str:
    item = shop.pages.item(item_id)
    assert item is not None
    return item.title


def test_a_worse_model_is_refused_and_the_live_one_stays(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models, tmp_path / "models")
    live = current_version(tmp_path / "models")
    scrambled = small_rows(scrambled_until_day=DAYS - 12)
    # Up to its newest days the bad log holds nothing to learn; in them it is like the good one.
    same_days = [row for row in small_rows() if (row.time_ms or 0) >= START_MS + (DAYS - 12) * DAY_MS]
    early = [row for row in scrambled if (row.time_ms or 0) < START_MS + (DAYS - 12) * DAY_MS]
    bad = write_small_log(tmp_path / "bad", early + same_days)
    with pytest.raises(GateRefusedError, match=f"version {live} stays live") as refused:
        run(bad, tmp_path / "models")
    assert refused.value.exit_code == 3
    assert current_version(tmp_path / "models") == live
    assert [p.name for p in (tmp_path / "models").iterdir() if not p.name.startswith(".")].count(str(live)) == 1
    assert '"refused": true' in (tmp_path / "models" / "run.json").read_text()
    (kept,) = [run for run in read_runs(tmp_path / "models").values() if not run.published]
    assert kept.gate is not None
    assert (kept.gate.refused, kept.gate.live) == (True, live)


def test_the_same_log_again_passes_the_gate_and_changes_nothing(
    models: Path, paths: InputPaths, tmp_path: Path
) -> None:
    shutil.copytree(models, tmp_path / "models")
    again = run(paths, tmp_path / "models")
    assert again.verdict is not None
    assert not again.verdict.refused
    assert again.version == current_version(models)
    assert hashes(tmp_path / "models") == hashes(models)


def test_an_erased_user_is_in_no_file_of_the_bundle(paths: InputPaths, tmp_path: Path) -> None:
    salt = b"\x01" * 16
    write_erased(tmp_path / "erased.parquet", ["u7"], salt)
    circle = [EdgeRow(one, other, "friend") for one, other in (("u7", "u8"), ("u8", "u9"), ("u7", "new"))]
    write_edges(tmp_path / "edges.parquet", circle)
    files = replace(paths, erased=tmp_path / "erased.parquet", edges=tmp_path / "edges.parquet")
    bundle = open_bundle(run(files, tmp_path / "models").folder)
    assert "u7" not in list(bundle.users.ids)
    assert "u8" in list(bundle.users.ids)
    assert sorted(bundle.strings("friends/users")) == ["u8", "u9"]
    found = build_pipeline(bundle, Settings()).candidates(FeedQuery(bundle.manifest.now_ms, "u8"))
    assert set(found.rows[found.source_ranks[:, found.sources.index("friends")] >= 0]) <= set(
        bundle.history("u9").item_rows
    )
    assert bundle.manifest.counts["erased_users"] == 1
    assert erased_hash("u7", salt) != erased_hash("u8", salt)


def test_unusable_input_touches_nothing_that_stood_before(models: Path, tmp_path: Path) -> None:
    before, live = hashes(models), current_version(models)
    broken = tmp_path / "events.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"events\.parquet"):
        run(InputPaths(broken), models)
    assert (hashes(models), current_version(models)) == (before, live)


@pytest.mark.parametrize(
    "rows",
    [
        [LoggedRow("u", "i", "purchase", START_MS)],
        [LoggedRow("u", f"i{n}", "view", START_MS + n) for n in range(5)],
        [LoggedRow(f"u{n}", "i", "view", START_MS + n * DAY_MS) for n in range(5)],
        [LoggedRow("", "i", "view", START_MS), LoggedRow("", "j", "view", START_MS)],
        [LoggedRow("u", "i", "impression", START_MS), LoggedRow("u", "j", "hide", START_MS + 1)],
        [LoggedRow("u", "i", "purchase", None), LoggedRow("u", "j", "purchase", None)],
    ],
    ids=["one event", "one user", "one item", "nobody", "no weight", "no times"],
)
def test_the_smallest_logs_give_a_bundle_that_serves(rows: list[LoggedRow], tmp_path: Path) -> None:
    write_small_log(tmp_path, rows)
    published = run(InputPaths(tmp_path / "events.parquet"), tmp_path / "models")
    bundle = open_bundle(published.folder)
    slate, _ = build_pipeline(bundle, small_settings()).run(
        FeedQuery(now_ms=bundle.manifest.now_ms, user_id="u", history=bundle.history("u")), 10
    )
    assert len(np.unique(slate.rows)) == len(slate)


def test_old_versions_are_removed_but_never_the_live_one(paths: InputPaths, tmp_path: Path) -> None:
    settings = small_settings(sources=("cooccurrence", "popularity_recent"), most_trees=10)
    few = settings.model_copy(update={"bundle": settings.bundle.model_copy(update={"keep_versions": 1})})
    ends = [START_MS + (DAYS - days) * DAY_MS for days in (2, 1, 0)]
    published = [run(paths, tmp_path, few, now_ms=end) for end in ends]
    assert list_versions(tmp_path) == sorted(version.version for version in published[-2:])
    assert current_version(tmp_path) == published[-1].version
