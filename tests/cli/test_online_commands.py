"""The commands that need no training, each run as a user runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recommender.logs import LoggedRow, read_edges, read_events, read_items, write_events
from tests.cli.conftest import Run, refused
from tests.servers import COMMAND, ROOT, RunningServer, running_server
from tests.worlds import NOW_MS, write_tiny_models

COMMANDS = [
    "serve",
    "feed",
    "explain",
    "send-events",
    "export-events",
    "backup",
    "restore",
    "rotate-key",
    "models",
    "models list",
    "models show",
    "models activate",
    "models rollback",
]
OF_TRAINING = ["train", "evaluate", "demo"]
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(models, tmp_path_factory.mktemp("cli-server") / "state") as running:
        yield running


@pytest.mark.parametrize("name", ["", *COMMANDS, *OF_TRAINING])
def test_every_command_has_help(run: Run, name: str) -> None:
    outcome = run(*name.split(), "--help")
    assert outcome.returncode == 0
    assert f"Usage: windowshop {name}".rstrip() in outcome.stdout
    if not name:
        assert all(command.split()[0] in outcome.stdout for command in [*COMMANDS, *OF_TRAINING])


def test_the_version_is_told(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.returncode, outcome.stdout.startswith("windowshop")) == (0, True)


@pytest.mark.parametrize(
    "arguments", [["--no-such-flag"], ["serve", "--no-such-flag"], ["no-such-command"], ["serve"], ["feed"], [""]]
)
def test_a_wrong_command_line_ends_with_2(run: Run, arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr


def test_a_feed_is_shown_as_a_table(run: Run, server: RunningServer) -> None:
    outcome = run("feed", "ada", "--target", server.address, "--pages", 2, "--page-size", 3)
    assert outcome.returncode == 0, outcome.stderr
    assert "feed of ada, model 20250601T000000Z-tiny" in outcome.stdout
    rows = [line for line in outcome.stdout.splitlines() if "│" in line]
    assert [line.split("│")[1].strip() for line in rows] == ["0", "1", "2", "3", "4", "5"]
    assert "you bought iron pan" in outcome.stdout
    assert "Kitchen > Pans" in outcome.stdout
    assert "USD" in outcome.stdout


def test_an_item_of_a_feed_is_explained(run: Run, server: RunningServer) -> None:
    outcome = run("explain", "ada", "item-sauce-pan", "--target", server.address)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("item-sauce-pan for ada: shown at position ")
    assert "cooccurrence" in outcome.stdout
    unknown = run("explain", "ada", "unheard-of", "--target", server.address)
    assert (unknown.returncode, unknown.stdout.strip()) == (0, "unheard-of for ada: not in the catalogue")


def test_what_is_held_of_a_user_is_printed_and_erased_with_a_certificate(
    run: Run, server: RunningServer, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,event_type,timestamp\n" + "short-stay,item-hoe,view,\n" * 2, encoding="utf-8")
    run("send-events", log, "--target", server.address)
    held = json.loads(run("user-data", "short-stay", "--target", server.address).stdout)
    assert [event["event"]["item_id"] for event in held["events"]] == ["item-hoe"] * 2
    certificate = json.loads(run("erase-user", "short-stay", "--target", server.address).stdout)
    assert {each["store"]: each["erased_count"] for each in certificate["stores"]}["events"] == "2"
    assert json.loads(run("user-data", "short-stay", "--target", server.address).stdout) == {"erased": True}
    refused(run("erase-user", "", "--target", server.address), "USER_ID_REQUIRED")


@pytest.mark.parametrize("user", ["nobody-knows-me", ""])
def test_a_stranger_has_a_feed_too(run: Run, server: RunningServer, user: str) -> None:
    outcome = run("feed", user, "--target", server.address)
    assert outcome.returncode == 0
    assert "popular" in outcome.stdout


def test_a_server_that_is_not_there_is_said_in_a_sentence(run: Run) -> None:
    refused(run("feed", "ada", "--target", NOWHERE), NOWHERE, "windowshop serve")


def test_what_the_server_refuses_is_said_in_a_sentence(run: Run, server: RunningServer) -> None:
    refused(run("feed", "x" * 300, "--target", server.address), "ID_TOO_LONG", "user_id")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rows = [LoggedRow("sender", "item-spade", "view", NOW_MS + n % 3) for n in range(2_500)]
    rows += [LoggedRow("", "item-rake", "purchase", None, session_id="s-1", price=2.0, quantity=3.0)]
    write_events(tmp_path / "log.parquet", rows)
    return tmp_path / "log.parquet"


def test_a_log_is_sent_once_however_often(run: Run, server: RunningServer, log: Path) -> None:
    first = run("send-events", log, "--target", server.address)
    assert (first.returncode, first.stdout) == (0, "2,501 accepted, 0 duplicate, 0 rejected\n")
    told = [line for line in first.stderr.splitlines() if line.startswith("events sent")]
    assert told == [f"events sent: {count} of 2,501" for count in ("1,000", "2,000", "2,501")]
    again = run("send-events", log, "--target", server.address)
    assert (again.returncode, again.stdout) == (0, "0 accepted, 2,501 duplicate, 0 rejected\n")
    assert "you looked at spade" in run("feed", "sender", "--target", server.address).stdout


def test_what_the_server_rejects_of_a_log_is_counted_and_shown(run: Run, server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user_id,session_id,item_id,event_type,timestamp\na,,i,view,\n,,i,view,\n", encoding="utf-8")
    outcome = run("send-events", file, "--target", server.address)
    assert (outcome.returncode, outcome.stdout) == (0, "1 accepted, 0 duplicate, 1 rejected\n")
    assert "USER_OR_SESSION_REQUIRED" in outcome.stderr


def test_a_log_that_cannot_be_read_is_refused(run: Run, server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1 but no more")
    refused(run("send-events", tmp_path / "log.parquet", "--target", server.address), "log.parquet")


def test_a_log_is_not_sent_to_nobody(run: Run, log: Path) -> None:
    refused(run("send-events", log, "--target", NOWHERE), NOWHERE)


def test_what_was_recorded_is_exported_while_the_server_runs(run: Run, models: Path, log: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    with running_server(models, state) as server:
        assert run("send-events", log, "--target", server.address).returncode == 0
        outcome = run("export-events", "--state", state, "--out", out)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == f"2,501 events, 0 items, 0 edges, 0 erased written to {out}\n"
        late = run("export-events", "--state", state, "--out", tmp_path / "late", "--since", "2100-01-01")
        assert late.stdout.startswith("0 events")
    events = read_events(out / "events", rejects_dir=None, extras=("price", "quantity"))
    assert len(events) == 2_501
    assert events.user_ids == ["sender"]
    assert events.session_ids == ["s-1"]
    assert np.nansum(events.extras["price"]) == 2.0
    assert len(read_items(out / "items", rejects_dir=None).item_ids) == 0
    assert len(read_edges(out / "edges", rejects_dir=None)) == 0
    assert {path.name for path in out.iterdir()} == {"events", "items", "edges", "erased"}


def test_exporting_makes_no_state(run: Run, tmp_path: Path) -> None:
    refused(run("export-events", "--state", tmp_path / "none", "--out", tmp_path / "out"), "holds no state")
    assert list(tmp_path.iterdir()) == []


def test_a_time_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    refused(run("export-events", "--state", tmp_path, "--out", tmp_path, "--since", "yesterday"), "'yesterday'")


def test_models_are_listed_and_shown(run: Run, models: Path) -> None:
    listed = run("models", "list", "--models", models)
    assert (listed.returncode, "live" in listed.stdout) == (0, True)
    assert "20250601T000000Z-tiny" in listed.stdout
    shown = run("models", "show", "20250601T000000Z-tiny", "--models", models)
    assert json.loads(shown.stdout)["counts"]["items"] == 24
    refused(run("models", "show", "v9", "--models", models), "'v9'", "20250601T000000Z-tiny")


def test_a_damaged_model_is_listed_as_such(run: Run, tmp_path: Path) -> None:
    bundle = write_tiny_models(tmp_path)
    write_tiny_models(tmp_path, "20250602T000000Z-good")
    (bundle.folder / "manifest.json").write_text("{}", encoding="utf-8")
    listed = run("models", "list", "--models", tmp_path)
    assert listed.returncode == 0
    rows = [line for line in listed.stdout.splitlines() if "│" in line]
    assert [("damaged" in row, "live" in row) for row in rows] == [(True, False), (False, True)]
    assert "format version None" in " ".join(listed.stdout.split())


def test_a_folder_without_models_is_said(run: Run, tmp_path: Path) -> None:
    refused(run("models", "list", "--models", tmp_path), "no model")


def test_check_says_yes_to_what_is_good_and_makes_nothing(run: Run, models: Path, tmp_path: Path) -> None:
    outcome = run("serve", "--check", "--models", models, "--state", tmp_path / "state")
    assert outcome.returncode == 0, outcome.stderr
    assert [line.split(": ")[:2] for line in outcome.stdout.splitlines()] == [
        ["configuration", "ok"],
        ["bundle", "ok"],
        ["state", "ok"],
    ]
    assert not (tmp_path / "state").exists()


def test_check_names_everything_that_is_bad(run: Run, tmp_path: Path) -> None:
    models = tmp_path / "models"
    bundle = write_tiny_models(models)
    damaged = bundle.folder / "items" / "price.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x01")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "events.db").write_bytes(b"not a database" * 100)
    outcome = run("serve", "--check", "--models", models, "--state", tmp_path / "state", "--listen", "0.0.0.0:0")
    assert outcome.returncode == 2
    lines = outcome.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["configuration", "NOT OK"],
        ["bundle", "NOT OK"],
        ["state", "NOT OK"],
    ]
    for line, word in zip(lines, ("--insecure", "items/price.npy", "events.db"), strict=True):
        assert word in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[server]\nworkrs = 2\n", ["no setting server.workrs"]),
        ("[server]\nworkers = 0\n", ["server.workers"]),
        ("[server\n", ["cannot read configuration"]),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(
    run: Run, models: Path, tmp_path: Path, content: str, words: list[str]
) -> None:
    config = tmp_path / "windowshop.toml"
    config.write_text(content, encoding="utf-8")
    refused(run("serve", "--models", models, "--state", tmp_path / "state", "--config", config), *words)


def test_serve_refuses_what_it_cannot_serve(run: Run, models: Path, tmp_path: Path) -> None:
    state = ("--state", tmp_path / "state")
    refused(run("serve", "--models", tmp_path / "none", *state), "no published model", "windowshop train")
    refused(run("serve", "--models", models, *state, "--listen", "0.0.0.0:0"), "--insecure")
    refused(run("serve", "--models", models, *state, "--listen", "nonsense"), "'nonsense'")
    refused(run("serve", "--models", models, *state, "--workers", "0"), "server.workers")
    (tmp_path / "file").touch()
    refused(run("serve", "--models", models, "--state", tmp_path / "file"), "is a file")


def test_a_damaged_bundle_is_not_served(run: Run, tmp_path: Path) -> None:
    bundle = write_tiny_models(tmp_path / "models")
    damaged = bundle.folder / "popularity" / "order.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x01")
    outcome = run("serve", "--models", tmp_path / "models", "--state", tmp_path / "state")
    refused(outcome, "popularity/order.npy does not match its SHA-256")


def test_a_taken_port_is_said(run: Run, models: Path, tmp_path: Path, server: RunningServer) -> None:
    outcome = run("serve", "--models", models, "--state", tmp_path / "state", "--listen", server.address)
    refused(outcome, server.address, "in use")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        refused(run("serve", "--models", models, "--state", tmp_path / "state", "--listen", address), address)


@pytest.mark.parametrize("name", OF_TRAINING)
def test_what_needs_the_extra_says_so_where_it_is_missing(run: Run, name: str) -> None:
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'training', 'implicit', 'sklearn', 'scipy'}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"sys.argv = ['windowshop', {name!r}, '--events', 'x']\n"
        "from recommender.cli import main\n"
        "main()\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    refused(outcome, "pip install 'windowshop[train]'")


def test_ctrl_c_ends_quietly_with_130() -> None:
    # A listener that never answers keeps the command waiting.
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        command = [*COMMAND, "feed", "ada", "--target", f"127.0.0.1:{mute.getsockname()[1]}"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        accepted, _ = mute.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        accepted.close()
    assert (process.returncode, out.strip(), err.strip()) == (130, "", "")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that brings commands, as `training` does."""
    told = tmp_path / "joining-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: joining\nVersion: 1.0\n", encoding="utf-8")
    (told / "entry_points.txt").write_text(
        "[windowshop.commands]\ngreet = joining_commands:greet\nlame = joining_lame:lame\n", encoding="utf-8"
    )
    (tmp_path / "joining_commands.py").write_text(
        "import typer\n"
        "from recommender.errors import GateRefusedError\n"
        "def greet(name: str, loud: bool = False, lame: bool = False, refuse: bool = False) -> None:\n"
        "    '''Greet somebody.'''\n"
        "    if lame:\n"
        "        import implicit_that_is_not_there\n"
        "    if refuse:\n"
        "        raise GateRefusedError('the live model stays')\n"
        "    typer.echo(('HELLO ' if loud else 'hello ') + name)\n",
        encoding="utf-8",
    )
    (tmp_path / "joining_lame.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'implicit'\", name='implicit.als')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_a_command_found_by_its_entry_point_is_run_with_its_flags(run: Run) -> None:
    assert run("greet", "ada", "--loud").stdout == "HELLO ada\n"
    assert "greet" in run("--help").stdout
    assert "Greet somebody." in run("greet", "--help").stdout
    assert run("greet").returncode == 2
    refused(run("greet", "ada", "--refuse"), "the live model stays", code=3)


@pytest.mark.usefixtures("installed")
def test_a_command_that_cannot_be_loaded_for_want_of_the_extra_says_so(run: Run) -> None:
    refused(run("lame", "--events", "x"), "lame is not installed", "pip install 'windowshop[train]'")


@pytest.mark.usefixtures("installed")
def test_another_missing_module_is_a_bug_and_shows_itself(run: Run) -> None:
    with pytest.raises(ModuleNotFoundError, match="implicit_that_is_not_there"):
        run("greet", "ada", "--lame")
