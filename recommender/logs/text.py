"""CSV and JSON Lines as a scan: taken apart once into a table of text inside DuckDB, which spills to disk."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import duckdb

from recommender.errors import InputError
from recommender.logs.columns import Field, FieldKind
from recommender.logs.engine import Engine, Progress, ignore_progress, literal, part_of
from recommender.logs.files import LogFiles, LogFormat, compression_of
from recommender.logs.parquet import escaped
from recommender.logs.scan import Column, Scan, further_columns, projection, require_columns

_COMPRESSION: Final = {None: "none", ".gz": "gzip", ".zst": "zstd"}
#: The parser's names for what is wrong with a line.
_REASONS: Final = {
    "INVALID ENCODING": "invalid_utf8",
    "MISSING COLUMNS": "too_few_columns",
    "TOO MANY COLUMNS": "too_many_columns",
    "UNQUOTED VALUE": "bad_quotes",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}


def scan_text(
    engine: Engine,
    log: LogFiles,
    fields: Sequence[Field],
    *,
    keep_attributes: bool,
    progress: Progress = ignore_progress,
) -> Scan:
    """Take the files apart into the table `staged` and return it as one relation.

    Raises:
        InputError: A file cannot be read, or a column is missing or comes twice.
    """
    stage = _stage_csv if log.format is LogFormat.CSV else _stage_json_lines
    names, attributes = stage(engine, log, fields, keep_attributes, progress)
    columns = {name: Column(f"r{number}", "VARCHAR") for number, name in enumerate(names)}
    shown = {name: column for name, column in columns.items() if name not in attributes}
    counts = dict(engine.rows("SELECT _file, min(rowid) FROM staged GROUP BY _file"))
    n_rows = engine.rows("SELECT count(*) FROM staged")[0][0]
    broken, n_refused = _refused(engine, log)
    values = projection(log, log.path, columns, fields, attributes)
    return Scan(
        log,
        f"SELECT _file, rowid AS _row, _problem, _text, {values} FROM staged",
        n_rows,
        (0,) * len(log.files),
        tuple(None if i in broken else counts.get(i, 0) for i in range(len(log.files))),
        frozenset(shown),
        tuple(attributes),
        _REFUSED if n_refused else "",
        n_refused,
    )


def _read_csv(files: Iterable[Path], columns: str, options: str) -> str:
    paths = list(files)
    names = ", ".join(literal(escaped(path)) for path in paths)
    compression = _COMPRESSION[compression_of(paths[0])]
    return (
        f"read_csv([{names}], auto_detect=false, columns={{{columns}}}, nullstr='', hive_partitioning=false, "
        f"compression='{compression}', {options})"
    )


def _lines(files: Iterable[Path], options: str) -> str:
    """Every line as one text; the delimiter is a character that JSON does not allow in the raw."""
    raw = "header=false, delim='\x01', quote='', escape='', strict_mode=false"
    return _read_csv(files, "'line': 'VARCHAR'", f"{raw}, {options}")


def _first_line(engine: Engine, log: LogFiles, file: Path) -> str:
    """The first line, without a byte order mark."""
    for (line,) in engine.rows(f"SELECT line FROM {_lines([file], 'ignore_errors=true')} LIMIT 1"):
        return str(line or "").lstrip("\ufeff")
    raise InputError(f"{log.table} {file}: holds no line of text in UTF-8; write it anew")


# --- CSV ---------------------------------------------------------------------------------------------------------


def _stage_csv(
    engine: Engine, log: LogFiles, fields: Sequence[Field], keep_attributes: bool, progress: Progress
) -> tuple[list[str], list[str]]:
    headers = [_header(engine, log, file, fields) for file in log.files]
    names = [field.name for field in fields if any(field.name in header for header in headers)]
    attributes: list[str] = []
    if keep_attributes:
        attributes = further_columns([n for n in dict.fromkeys(n for h in headers for n in h) if n], fields)
    _create_staged(engine, len(names) + len(attributes))
    keys = [(header, compression_of(file)) for header, file in zip(headers, log.files, strict=True)]
    for (header, _), group in groupby(range(len(log.files)), key=lambda i: keys[i]):
        members = list(group)
        told = part_of(progress, members[0] / len(log.files), (members[-1] + 1) / len(log.files))
        _insert_csv(engine, log.table, [log.files[i] for i in members], members[0], header, [*names, *attributes], told)
    return [*names, *attributes], attributes


def _header(engine: Engine, log: LogFiles, file: Path, fields: Sequence[Field]) -> tuple[str, ...]:
    line = _first_line(engine, log, file)
    if not line.strip():
        raise InputError(f"{log.table} {file}: begins with a blank line, wanted the names of the columns")
    names = tuple(next(csv.reader([line])))
    require_columns(log, file, [name for name in names if name], fields)
    return names


def _insert_csv(
    engine: Engine,
    table: str,
    files: list[Path],
    first: int,
    header: Sequence[str],
    wanted: Sequence[str],
    progress: Progress,
) -> None:
    # By place, since pandas leaves the name of its index column empty.
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    options = "header=true, delim=',', quote='\"', escape='\"', store_rejects=true, rejects_limit=0"
    values = ", ".join(f"c{header.index(name)}" if name in header else "NULL" for name in wanted)
    rows = f"SELECT {first} + file_index, NULL, NULL, {values} FROM {_read_csv(files, columns, options)}"
    try:
        engine.execute(f"INSERT INTO staged {rows}", progress)
    except duckdb.InvalidInputException as error:
        # All that the parser says of line ends that differ.
        if "state machine" not in str(error):
            raise
        places = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
        raise InputError(f"{table} {places}: line ends are mixed (\\n and \\r\\n); write them all alike") from error


def _create_staged(engine: Engine, n_columns: int) -> None:
    columns = "".join(f", r{number} VARCHAR" for number in range(n_columns))
    engine.execute(f"CREATE TEMP TABLE staged(_file INTEGER, _problem VARCHAR, _text VARCHAR{columns})")


# --- JSON Lines --------------------------------------------------------------------------------------------------


def _stage_json_lines(
    engine: Engine, log: LogFiles, fields: Sequence[Field], keep_attributes: bool, progress: Progress
) -> tuple[list[str], list[str]]:
    for file in log.files:
        if _first_line(engine, log, file).lstrip().startswith("["):
            raise InputError(f"{log.table} {file}: holds a JSON array, wanted JSON Lines: one object a line")
    names = [field.name for field in fields]
    attributes = further_columns(_keys(engine, log), fields) if keep_attributes else []
    _create_staged(engine, len(names) + len(attributes))
    for _, group in groupby(range(len(log.files)), key=lambda i: compression_of(log.files[i])):
        members = list(group)
        told = part_of(progress, members[0] / len(log.files), (members[-1] + 1) / len(log.files))
        _insert_json(engine, [log.files[i] for i in members], members[0], fields, attributes, told)
    _require_keys(engine, log, fields)
    return [*names, *attributes], attributes


def _keys(engine: Engine, log: LogFiles) -> list[str]:
    """All keys of all objects, sorted: lines need not have the same."""
    found: set[str] = set()
    for files in _alike(log.files):
        lines = f"SELECT line FROM {_lines(files, 'ignore_errors=true')} WHERE json_valid(line)"
        found.update(key for (key,) in engine.rows(f"SELECT DISTINCT unnest(json_keys(line)) FROM ({lines})"))
    require_columns(log, log.path, sorted(found), ())
    return sorted(found)


def _alike(files: Sequence[Path]) -> Iterator[list[Path]]:
    for _, group in groupby(files, key=compression_of):
        yield list(group)


def _insert_json(
    engine: Engine,
    files: list[Path],
    first: int,
    fields: Sequence[Field],
    attributes: Sequence[str],
    progress: Progress,
) -> None:
    names = [*(field.name for field in fields), *attributes]
    pointers = ", ".join(literal("/" + name.replace("~", "~0").replace("/", "~1")) for name in names)
    lines = _lines(files, "store_rejects=true, rejects_limit=0")
    ids = [place for place, field in enumerate(fields) if field.kind is FieldKind.ID]
    wrong = " OR ".join(f"left(j[{place + 1}]::VARCHAR, 1) IN ('{{', '[', 't', 'f')" for place in ids) or "false"
    problem = f"CASE WHEN j IS NULL THEN 'invalid_json' WHEN {wrong} THEN 'wrong_type' END"
    values = ", ".join(_json_text(f"j[{place + 1}]", place in ids) for place in range(len(names)))
    engine.execute(
        f"INSERT INTO staged SELECT {first} + file_index, {problem} AS problem,"
        f" CASE WHEN problem IS NOT NULL THEN line END, {values} FROM ("
        f" SELECT file_index, line, CASE WHEN json_valid(line) AND left(ltrim(line), 1) = '{{'"
        f" THEN json_extract(line, [{pointers}]) END AS j FROM {lines} WHERE trim(line) <> '')",
        progress,
    )


def _json_text(value: str, is_id: bool) -> str:
    """A JSON value as the text that a CSV file would hold."""
    text = f"{value}::VARCHAR"
    number = f"regexp_replace({text}, '\\.0$', '')" if is_id else text
    return f"CASE left({text}, 1) WHEN '\"' THEN {value}->>'$' WHEN 'n' THEN NULL ELSE {number} END"


def _require_keys(engine: Engine, log: LogFiles, fields: Sequence[Field]) -> None:
    """Refuse a log none of whose lines has a key that its table needs; a line without it is a row's matter."""
    for place, field in enumerate(fields):
        if not field.required or engine.rows(f"SELECT count(*) = 0 OR count(r{place}) > 0 FROM staged")[0][0]:
            continue
        keys = [key for files in _alike(log.files) for key in _has_key(engine, files, field.name)]
        if False in keys and True not in keys:
            raise InputError(
                f"{log.table} {log.path}: no line has the key {field.name!r}; {log.table} need the keys "
                + ", ".join(needed.name for needed in fields if needed.required)
            )


def _has_key(engine: Engine, files: list[Path], name: str) -> list[bool | None]:
    lines = f"{_lines(files, 'ignore_errors=true')} WHERE json_valid(line)"
    return [row[0] for row in engine.rows(f"SELECT bool_or(json_exists(line, '/{name}')) FROM {lines}")]


# --- Lines that the parser refused -------------------------------------------------------------------------------

_REFUSED: Final = "SELECT reason, file, line, text FROM refused"


def _refused(engine: Engine, log: LogFiles) -> tuple[set[int], int]:
    """Gather them in the table `refused`; the files they are in, and their number.

    Raises:
        InputError: A quote opened that swallowed further lines, so more is lost than can be counted.
    """
    places = ", ".join(f"({number}, {literal(str(file))})" for number, file in enumerate(log.files))
    reasons = " ".join(f"WHEN {literal(kind)} THEN {literal(reason)}" for kind, reason in _REASONS.items())
    engine.execute(
        "CREATE TEMP TABLE refused AS SELECT"
        f" CASE any_value(error_type)::VARCHAR {reasons} ELSE 'unreadable_line' END AS reason,"
        " any_value(place) AS file, any_value(line) AS line, any_value(csv_line) AS text"
        " FROM reject_errors JOIN reject_scans USING (scan_id, file_id)"
        f" JOIN (VALUES {places}) AS places(place, name) ON name = file_path"
        " GROUP BY scan_id, file_id, line_byte_position ORDER BY file, line"
    )
    for file, line in engine.rows(
        "SELECT file, line FROM refused WHERE reason = 'bad_quotes' AND contains(text, chr(10)) LIMIT 1"
    ):
        raise InputError(
            f"{log.table} {log.files[file]}: line {line:,} opens a quote that does not close on it; "
            "close it, or double the quotes inside a value"
        )
    return {row[0] for row in engine.rows("SELECT DISTINCT file FROM refused")}, engine.rows(
        "SELECT count(*) FROM refused"
    )[0][0]
