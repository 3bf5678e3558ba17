"""The commands `train`, `evaluate` and `demo`: flags to values, values to the job, outcomes to text."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from recommender.config import load_settings, parse_duration
from recommender.errors import ConfigurationError
from recommender.logs import ReadReport
from recommender.types import DAY_MS
from training.demo.command import demo
from training.evaluation.ablation_view import print_ablation
from training.evaluation.chances_view import plot_chances, print_chances
from training.evaluation.change import Change, compare_reports
from training.evaluation.change_table import print_change
from training.evaluation.page import write_page
from training.evaluation.plot import plot
from training.evaluation.report import Report, write_json
from training.evaluation.slates_view import plot_slates, print_slates
from training.evaluation.table import print_table
from training.inputs import InputPaths
from training.nightly import NightlyJob, PublishedVersion
from training.nightly import train as run_nightly
from training.progress import progress_on
from training.request import ABLATIONS, TrialRequest
from training.search.run import search_sentence
from training.trial import evaluate as run_trial

__all__ = ["demo", "evaluate", "train"]

_PIPE_WIDTH = 160

Events = Annotated[
    Path,
    typer.Option("--events", help="Event log: file, folder or glob of Parquet, CSV or JSON Lines.", show_default=False),
]
Items = Annotated[Path | None, typer.Option("--items", help="Items file, likewise.")]
Users = Annotated[Path | None, typer.Option("--users", help="Users file, likewise; columns part a report.")]
Edges = Annotated[Path | None, typer.Option("--edges", help="Edges file, likewise: who is near whom.")]
Erased = Annotated[Path | None, typer.Option("--erased", help="Keyed hashes of users to leave out of every input.")]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings; see recommender/README.md.")]

EvaluatedEvents = Annotated[
    Path | None,
    typer.Option("--events", help="Event log: file, folder or glob of Parquet, CSV or JSON Lines. [required]"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="File for the report as JSON; page, plot and users' figures come beside it. [required]"),
]
Baselines = Annotated[
    str,
    typer.Option("--baselines", help="Single models and sanity rows to compare with: all, or names joined by commas."),
]
Ablate = Annotated[
    str | None,
    typer.Option(
        "--ablate",
        help=f"Also measure the pipeline without its parts: all, or some of {', '.join(ABLATIONS)}, joined by commas.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="For how long to search for better shapes, half-lives and sources than are tried anyway, such as 10m.",
    ),
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--compare",
        metavar="OLD.json NEW.json",
        help="Compare two finished reports instead of evaluating; --out gets it as JSON.",
    ),
]


def train(
    events: Events,
    models: Annotated[Path, typer.Option("--models", help="Folder to publish into.", show_default=False)],
    items: Items = None,
    users: Users = None,
    edges: Edges = None,
    erased: Erased = None,
    config: Config = None,
    now: Annotated[
        str | None, typer.Option("--now", help="ISO-8601 moment to look back from. [the log's last accepted moment]")
    ] = None,
    items_as_of: Annotated[
        str | None,
        typer.Option(
            "--items-as-of",
            help="ISO-8601 moment at which --items held all that the shop knew: what was sent to a running server more "
            "than a minute earlier gives way to it. [nothing does]",
        ),
    ] = None,
    budget: Budget = None,
) -> None:
    """Train on a log and publish the model, unless the promotion gate finds it worse than the live one.

    A run that was killed goes on where it stood. Rows that cannot be used are counted by reason and written to the
    folder `rejects` beside the models. Each version holds `resolved.toml`, the configuration that gives it again.
    """
    console = _console()
    if items_as_of is not None and items is None:
        raise ConfigurationError("--items-as-of says how old --items is; name that file too")
    job = NightlyJob(
        InputPaths(events, items, users, edges, erased),
        models,
        load_settings(config),
        _moment_ms("--now", now, DAY_MS),
        _moment_ms("--items-as-of", items_as_of),
        None if budget is None else _seconds("--budget", budget),
    )
    published = run_nightly(job, progress_on(console))
    for report in published.reports:
        print_reading(report, console)
    print_published(published, console)


def evaluate(
    events: EvaluatedEvents = None,
    out: Out = None,
    items: Items = None,
    users: Users = None,
    edges: Edges = None,
    erased: Erased = None,
    test: Annotated[
        Path | None, typer.Option("--test", help="File of the test part; --events is the training part.")
    ] = None,
    holdout: Annotated[str | None, typer.Option("--holdout", help="Newest part to hold out, such as 14d.")] = None,
    cuts: Annotated[
        int, typer.Option("--cuts", help="Held-out parts, one before the other, evaluated each and pooled.")
    ] = 1,
    seeds: Annotated[int, typer.Option("--seeds", help="Seeds to fit with, evaluated each and averaged.")] = 1,
    target: Annotated[str, typer.Option("--target", help="Event type that counts as a hit.")] = "purchase",
    k: Annotated[str, typer.Option("--k", help="Cut-offs, joined by commas.")] = "10,20,50",
    novel_only: Annotated[
        bool, typer.Option("--novel-only", help="Hide what a user touched before, and take it out of the targets.")
    ] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Rank only items first seen in the test part.")] = False,
    baselines: Baselines = "all",
    slate_curve: Annotated[
        bool, typer.Option("--slate-curve", help="Also measure what varied slates and personal slots cost.")
    ] = False,
    ablate: Ablate = None,
    budget: Budget = None,
    config: Config = None,
    compare: Compare = None,
) -> None:
    """Measure the pipeline as it is served beside every single model, with full ranking and paired intervals."""
    console = _console()
    if compare is not None:
        _show_change(compare_reports(*compare), out, console)
        return
    if events is None or out is None:
        raise ConfigurationError("give --events and --out, or two reports to --compare")
    request = TrialRequest(
        paths=InputPaths(events, items, users, edges, erased),
        out=out,
        settings=load_settings(config),
        test=test,
        holdout_seconds=None if holdout is None else _seconds("--holdout", holdout),
        target=target,
        ks=_cut_offs(k),
        novel_only=novel_only,
        cold=cold,
        baselines=None if baselines == "all" else frozenset(name.strip() for name in baselines.split(",")),
        cuts=cuts,
        seeds=seeds,
        slate_curve=slate_curve,
        ablate=_ablations(ablate),
        budget_seconds=None if budget is None else _seconds("--budget", budget),
    )
    trial = run_trial(request, progress_on(console))
    for reading in trial.readings:
        print_reading(reading, console)
    _show(trial.report, out, console)


def _show_change(change: Change, out: Path | None, console: Console) -> None:
    """Print what changed, and write it where asked."""
    print_change(change, console)
    if out is not None:
        write_json(change.to_json(), out)
        _say(console, f"comparison {out}")


def _show(report: Report, out: Path, console: Console) -> None:
    """Print a report, and put its pictures beside it."""
    plot(report, out.with_suffix(".png"))
    write_page(report, out.with_suffix(".html"))
    print_table(report, console)
    if report.protocol["search"]:
        _say(console, search_sentence(report.protocol["search"]))
    chances, target = report.further["chances"], report.protocol["target"]
    print_chances(chances, target, console)
    if "none" not in chances:
        plot_chances(chances, target, out.with_suffix(".chances.png"))
    if found := report.further.get("ablation"):
        print_ablation(found, console)
    if slates := report.further.get("slates"):
        print_slates(slates, console)
        plot_slates(slates, out.with_suffix(".slates.png"))
    _say(console, f"report {out}, page {out.with_suffix('.html')}, plot {out.with_suffix('.png')}")


def print_reading(report: ReadReport, console: Console) -> None:
    """Say what became of a table's rows; what was rejected by reason."""
    _say(console, f"{report.table}: {report.accepted:,} of {report.rows:,} rows accepted")
    for reason, count in report.rejected.items():
        _say(console, f"  rejected {reason}: {count:,}")
    if report.rejects_file is not None:
        _say(console, f"  rejected rows are in {report.rejects_file}")
    for note in report.notes:
        _say(console, f"  {note}")


def print_published(published: PublishedVersion, console: Console) -> None:
    """Say what serves now and why: each candidate for ranking with its quality on the newest days."""
    found: dict[str, Any] = published.metrics["choose"]
    table = Table(title=f"NDCG@20 of {found['users']:,} users of the newest days", title_justify="left")
    table.add_column("ranker")
    table.add_column("ndcg@20", justify="right")
    for name, value in sorted(found["ndcg@20"].items(), key=lambda pair: -pair[1]):
        table.add_row(name, f"{value:.4f}")
    console.print(table)
    if published.search:
        _say(console, search_sentence(published.search))
    if published.verdict is not None:
        _say(console, published.verdict.sentence())
    _say(console, f"published {published.version} in {published.seconds:,.0f} s: {published.folder}")


def _say(console: Console, line: str) -> None:
    """A line as it is: paths may hold what rich would take for markup."""
    console.print(line, highlight=False, markup=False)


def _console() -> Console:
    """Wide where nobody's terminal bounds it, so that tables in logs and pipes stay whole."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_WIDTH)


def _ablations(text: str | None) -> tuple[str, ...]:
    """Kinds of parts, in the order of the table; whatever is not known is refused later."""
    if text is None or text == "all":
        return ABLATIONS if text else ()
    named = {part.strip() for part in text.split(",")}
    return (*(kind for kind in ABLATIONS if kind in named), *sorted(named - set(ABLATIONS)))


def _seconds(option: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"{option} {error}") from error
    found = float(seconds)  # type: ignore[arg-type]  # parse_duration gives a float for any text
    if found <= 0:
        raise ConfigurationError(f"{option} {text} is not above 0; write 90s, 30m, 12h or 14d")
    return found


def _cut_offs(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 1_000 for part in parts):
        raise ConfigurationError(f"--k {text!r} is not a list of cut-offs from 1 to 1000; write 10,20,50")
    return tuple(sorted({int(part) for part in parts}))


def _moment_ms(option: str, text: str | None, ahead_ms: int = 0) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{option} {text!r} is not an ISO-8601 time; write 2026-01-31T00:00:00Z") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    moment_ms = int(aware.timestamp() * 1_000)
    if moment_ms > time.time() * 1_000 + ahead_ms:
        raise ConfigurationError(f"{option} {text} lies in the future; give a moment that is past")
    return moment_ms
