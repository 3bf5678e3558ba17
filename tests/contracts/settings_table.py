"""The settings as a Markdown table, written into recommender/README.md by `make docs`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

import annotated_types as at
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from recommender.config import Settings, parse_duration

README = Path(__file__).parents[2] / "recommender" / "README.md"
BEGIN, END = "<!-- settings: written by `make docs` -->", "<!-- end of settings -->"


def sections() -> dict[str, type[BaseModel]]:
    """The configuration's sections by name, in order."""
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def table() -> str:
    """All settings, one row each."""
    lines = ["| setting | default | range | meaning |", "|---|---|---|---|"]
    for section, model in sections().items():
        lines += [
            f"| `{section}.{key}` | {_default(field)} | {_range(field)} | {field.description} |"
            for key, field in model.model_fields.items()
        ]
    return "\n".join(lines)


def written_table() -> str:
    """What stands between the marks in recommender/README.md."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Replace what stands between the marks."""
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    README.write_text(f"{before}{begin}\n\n{table()}\n\n{end}{after}", encoding="utf-8")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if _is_duration(field):
        return f"`{_duration(value)}`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}` {number:g}" for key, number in value.items())
    if isinstance(value, tuple):
        return ", ".join(f"`{entry}`" for entry in value)
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _range(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        return ", ".join(f"`{choice.value}`" for choice in field.annotation)
    bounds = []
    for bound in field.metadata:
        if isinstance(bound, at.Ge):
            bounds.append(f">= {bound.ge}")
        elif isinstance(bound, at.Gt):
            bounds.append(f"> {bound.gt}")
        elif isinstance(bound, at.Le):
            bounds.append(f"<= {bound.le}")
    return ", ".join(bounds)


def _is_duration(field: FieldInfo) -> bool:
    return any(getattr(entry, "func", None) is parse_duration for entry in field.metadata)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


if __name__ == "__main__":
    main()
