"""The page of a report, put together from its sections."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from recommender.errors import ConfigurationError
from training.evaluation.page.ablation import ablation_section
from training.evaluation.page.heading import heading
from training.evaluation.page.markup import Markup, Section, joined, tag
from training.evaluation.page.models import model_section
from training.evaluation.page.parts import runs_section, segments_section
from training.evaluation.page.probabilities import probabilities_section
from training.evaluation.page.workings import importance_section, leaks_section, stages_section, terms_section
from training.evaluation.report import Report
from training.evaluation.table import title

_STYLE: Final = Path(__file__).with_name("style.css")
#: What makes sections, in their order: each takes the report, and gives None where it has nothing to say.
_SECTIONS: Final = (
    model_section,
    segments_section,
    runs_section,
    probabilities_section,
    ablation_section,
    importance_section,
    leaks_section,
    stages_section,
    terms_section,
)


def write_page(report: Report, path: Path) -> None:
    """Write the page whole or not at all.

    Args:
        report: A finished report.
        path: Where to, usually the report's own path with the suffix `.html`.

    Raises:
        ConfigurationError: The place cannot be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(page(report), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ConfigurationError(f"cannot write the page to {path}: {error.strerror}; give another --out") from error


def page(report: Report) -> str:
    """The whole document."""
    sections = [section for make in _SECTIONS if (section := make(report)) is not None]
    links = [tag("a", section.title, href=f"#{section.anchor}") for section in sections]
    head = joined(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title(report)),
            tag("style", Markup(_STYLE.read_text(encoding="utf-8"))),
        ]
    )
    body = joined([heading(report), tag("nav", tag("div", *links)), tag("main", *map(_drawn, sections))])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _drawn(section: Section) -> Markup:
    return tag("section", tag("h2", section.title), section.body, id=section.anchor)
