"""All models by each metric, and what the pipeline has over each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.evaluation.figures import PIPELINE
from training.evaluation.page.forest import Axis, Figures, Mark, Plot, Tone, forest
from training.evaluation.page.markup import Markup, Section, details, joined, paragraph, table, tag
from training.evaluation.report import Report
from training.evaluation.table import gain, plain, with_interval

#: Gains beyond this are arrows, so that the small ones, which decide, can be seen.
WIDEST_GAIN = 0.5


def model_section(report: Report) -> Section:
    """A pane for each metric, the main one first, then everything in one table."""
    metrics = _metrics(report)
    panes: list[Markup] = []
    for place, metric in enumerate(metrics):
        checked = " checked" if place == 0 else ""
        panes.append(Markup(f'<input type="radio" name="metric" id="metric-{place}"{checked}>'))
        panes.append(tag("label", metric, for_=f"metric-{place}"))
    shown = joined(f"#metric-{place}:checked ~ .pane-{place} {{ display: block; }}\n" for place in range(len(metrics)))
    panes += [tag("div", _pane(report, metric), class_=f"pane pane-{place}") for place, metric in enumerate(metrics)]
    how = (
        "Means over users with their 95 % intervals, and what the pipeline has over each model, on the same "
        f"resamples of users; an arrow is beyond {WIDEST_GAIN:+.0%}."
    )
    tabs = tag("div", tag("style", shown), *panes, class_="tabs")
    body = joined([paragraph(how, "soft"), tabs, _key(), details("All metrics of all models", _everything(report))])
    return Section("models", "Models", body)


def tone_of(pair: Mapping[str, Any]) -> Tone:
    """By its interval."""
    low, high = pair["ci95"]
    return "win" if low > 0 else "loss" if high < 0 else "tie"


def gain_marks(pair: Mapping[str, Any] | None) -> list[Mark]:
    """A pair's relative gain on an axis; where it cannot be bounded it is beyond every axis; nothing for None."""
    if pair is None or pair["relative"] is None:
        return []
    low, high = pair["relative_ci95"] or (pair["relative"],) * 2
    return [Mark(low, pair["relative"], high, tone_of(pair), gain(dict(pair)))]


def figure_mark(figure: Mapping[str, Any], name: str, tone: Tone) -> Mark:
    """A mean with its interval on an axis."""
    low, high = figure["ci95"]
    return Mark(low, figure["mean"], high, tone, f"{name} {with_interval(dict(figure))}")


def _metrics(report: Report) -> list[str]:
    """Metrics with intervals: those of the main cut-off first."""
    first = next(iter(report.models.values()))
    names = [name for name, value in first.items() if isinstance(value, Mapping)]
    k = report.main_k
    leading = [name for name in (f"ndcg@{k}", f"recall@{k}", f"hit_rate@{k}", "mrr") if name in names]
    return leading + [name for name in names if name not in leading]


def _pane(report: Report, metric: str) -> Markup:
    names = sorted(report.models, key=lambda name: -float(report.models[name][metric]["mean"]))
    pairs = [report.paired.get(f"{PIPELINE}-{name}", {}).get(metric) for name in names]
    marks = [[figure_mark(report.models[name][metric], name, "own" if name == PIPELINE else "other")] for name in names]
    gains = [gain_marks(pair) for pair in pairs]
    columns: list[Figures | Plot] = [
        Figures(f"{metric}, 95 %", [with_interval(report.models[name][metric]) for name in names]),
        Plot("", Axis.over([mark for row in marks for mark in row]), marks),
    ]
    if any(gains):
        axis = Axis.over([mark for row in gains for mark in row], percent=True, zero=True, most=WIDEST_GAIN)
        columns += [Figures(f"{PIPELINE} over it", [gain(pair) for pair in pairs]), Plot("", axis, gains)]
    return forest(names, columns, [place for place, name in enumerate(names) if name == PIPELINE])


def _everything(report: Report) -> Markup:
    metrics = list(dict.fromkeys(metric for model in report.models.values() for metric in model))
    rows = [[name, *(_cell(report.models[name].get(metric)) for metric in metrics)] for name in report.ranking()]
    return table(["model", *metrics], rows)


def _cell(value: Any) -> str:
    return with_interval(dict(value)) if isinstance(value, Mapping) else plain(value)


def _key() -> Markup:
    marks = (
        ("own", "the pipeline, or its gain"),
        ("other", "single models"),
        ("tie", "no sure gain"),
        ("loss", "loss"),
    )
    return tag("p", *(joined([tag("i", class_=tone), told]) for tone, told in marks), class_="key")
