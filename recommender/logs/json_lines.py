"""JSON Lines into the table `staged`: read as lines, then parsed, so that a bad one keeps its number and its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recommender.errors import InputError
from recommender.logs.columns import Field, FieldKind
from recommender.logs.engine import Engine, Progress, literal, part_of
from recommender.logs.files import LogFiles, compression_of, runs_of
from recommender.logs.lines import create_staged, first_line, read_lines
from recommender.logs.scan import further_columns, require_columns


def stage_json_lines(
    engine: Engine, log: LogFiles, fields: Sequence[Field], keep_attributes: bool, progress: Progress
) -> tuple[list[str], list[str]]:
    """Put every line into `staged`.

    Returns:
        The names of its columns r0, r1, ..., and which of them are attributes.

    Raises:
        InputError: A file holds an array, or no line has a key that the table needs.
    """
    for file in log.files:
        if first_line(engine, log, file).lstrip().startswith("["):
            raise InputError(f"{log.table} {file}: holds a JSON array, wanted JSON Lines: one object a line")
    attributes = further_columns(_keys(engine, log), fields) if keep_attributes else []
    names = [*(field.name for field in fields), *attributes]
    create_staged(engine, len(names))
    for run in _runs(log):
        told = part_of(progress, run.start / len(log.files), run.stop / len(log.files))
        engine.execute(f"INSERT INTO staged {_rows(log, run, fields, names)}", told)
    _require_keys(engine, log, fields)
    return names, attributes


def _runs(log: LogFiles) -> Iterator[range]:
    return runs_of([compression_of(file) for file in log.files])


def _lines(log: LogFiles, run: range, options: str = "ignore_errors=true") -> str:
    return read_lines([log.files[index] for index in run], options)


def _keys(engine: Engine, log: LogFiles) -> list[str]:
    """All keys of all objects, sorted: lines need not have the same."""
    found: set[str] = set()
    for run in _runs(log):
        objects = f"SELECT line FROM {_lines(log, run)} WHERE json_valid(line)"
        found.update(key for (key,) in engine.rows(f"SELECT DISTINCT unnest(json_keys(line)) FROM ({objects})"))
    require_columns(log, log.path, sorted(found), ())
    return sorted(found)


def _rows(log: LogFiles, run: range, fields: Sequence[Field], names: Sequence[str]) -> str:
    pointers = ", ".join(literal("/" + name.replace("~", "~0").replace("/", "~1")) for name in names)
    ids = [place for place, field in enumerate(fields) if field.kind is FieldKind.ID]
    wrong = " OR ".join(f"left(j[{place + 1}]::VARCHAR, 1) IN ('{{', '[', 't', 'f')" for place in ids) or "false"
    problem = f"CASE WHEN j IS NULL THEN 'invalid_json' WHEN {wrong} THEN 'wrong_type' END"
    values = ", ".join(_text_of(f"j[{place + 1}]", place in ids) for place in range(len(names)))
    return (
        f"SELECT {run.start} + file_index, {problem} AS problem, CASE WHEN problem IS NOT NULL THEN line END, {values}"
        " FROM (SELECT file_index, line, CASE WHEN json_valid(line) AND left(ltrim(line), 1) = '{'"
        f" THEN json_extract(line, [{pointers}]) END AS j"
        f" FROM {_lines(log, run, 'store_rejects=true, rejects_limit=0')} WHERE trim(line) <> '')"
    )


def _text_of(value: str, is_id: bool) -> str:
    """SQL for a JSON value as the text that a CSV file would hold."""
    text = f"{value}::VARCHAR"
    number = f"regexp_replace({text}, '\\.0$', '')" if is_id else text
    return f"CASE left({text}, 1) WHEN '\"' THEN {value}->>'$' WHEN 'n' THEN NULL ELSE {number} END"


def _require_keys(engine: Engine, log: LogFiles, fields: Sequence[Field]) -> None:
    """Refuse a log none of whose lines has a key that its table needs; a line without it is a row's matter."""
    needed = [field.name for field in fields if field.required]
    for place, field in enumerate(fields):
        if not field.required or engine.rows(f"SELECT count(*) = 0 OR count(r{place}) > 0 FROM staged")[0][0]:
            continue
        # Null throughout, which may be meant: only then is it worth asking every line.
        lines = " UNION ALL ".join(f"SELECT line FROM {_lines(log, run)}" for run in _runs(log))
        asked = f"SELECT bool_or(json_exists(line, '/{field.name}')) FROM ({lines}) WHERE json_valid(line)"
        if engine.rows(asked)[0][0] is False:
            raise InputError(
                f"{log.table} {log.path}: no line has the key {field.name!r};"
                f" {log.table} need the keys {', '.join(needed)}"
            )
