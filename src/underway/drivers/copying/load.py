"""Streams an SQLite file into PostgreSQL, in a process of its own whose memory does not grow with the rows.

    python -m underway.drivers.copying.load FILE DATABASE PSQL BATCH

The server is named by the PG… variables, the password among them. Each line on stdout is a JSON object: `table` when
one begins, `rows` as they go, and at the end `report`. What was loaded is written down in the same transaction as the
rows (schema `underway_copy`), so that a copy that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from underway.drivers.copying import queries
from underway.drivers.copying.psql import Psql
from underway.drivers.copying.values import Noted, Unfit, canonical_sql, convert

OURS = {"alembic_version", "django_migrations", "_prisma_migrations", "knex_migrations", "knex_migrations_lock",
         "schema_migrations", "sqlite_sequence", "_litestream_seq", "_litestream_lock"}  # fmt: skip
"""What migrations keep for themselves (the target has its own), and what replication does."""
_SHOWN = 20
_SIGN = 1 << 63


@dataclass
class Column:
    name: str
    kind: str


@dataclass
class Table:
    """One table that is copied. `key` are the columns that name a row to a person."""

    name: str
    columns: list[Column]
    key: list[str]
    rows: int = 0
    total: int = 0
    checksum: int = 0
    target_rows: int = -1
    target_checksum: int = 0
    nuls: int = 0
    unfit: list[str] = field(default_factory=list)
    unfit_count: int = 0
    differing: list[str] = field(default_factory=list)


def main(words: list[str]) -> int:
    """0 when every row is there and equal; 1 when not: the report says which."""
    path, database, program, batch = words[0], words[1], words[2], int(words[3])
    source = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    source.text_factory = _text
    source.execute("BEGIN")
    psql = Psql(program, database)
    try:
        tables, problems = matched(source, psql)
        if problems:
            _tell(report={"problems": problems, "tables": [], "keys": []})
            return 1
        begun = _begin(psql, _fingerprint(path), tables)
        for table in tables:
            load(source, psql, table, begun.get(table.name), batch)
        _reset_sequences(psql, tables)
        broken = _broken_keys(psql)
        for table in tables:
            prove(source, psql, table)
        psql.ask("DROP SCHEMA underway_copy CASCADE; ANALYZE;") if _is_whole(tables, broken) else None
    except (RuntimeError, sqlite3.Error) as error:
        _tell(report={"problems": [str(error)], "tables": [], "keys": []})
        return 1
    _tell(report={"problems": [], "tables": [_said(table) for table in tables], "keys": broken})
    return 0 if _is_whole(tables, broken) else 1


def matched(source: sqlite3.Connection, psql: Psql) -> tuple[list[Table], list[str]]:
    """The tables of both sides in the order of their references, and everything that does not fit."""
    there: dict[str, dict[str, str]] = {}
    for name, column, kind, is_made in psql.rows(queries.COLUMNS):
        there.setdefault(name, {})[column] = "" if is_made else kind
    keys: dict[str, list[str]] = dict(psql.rows(queries.PRIMARY_KEYS))
    problems: list[str] = []
    tables: list[Table] = []
    names = [row[0] for row in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    for name in names:
        if name in OURS or name.startswith("sqlite_"):
            continue
        here = [row[1] for row in source.execute(f"PRAGMA table_info({_quoted(name)})")]
        total = source.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0]  # noqa: S608 - quoted
        if name not in there:
            if total:
                problems.append(f"the table {name} ({total:,} rows) is not in the app's schema")
            continue
        lacking = [column for column in here if column not in there[name]]
        if lacking:
            problems.append(f"{name}: the app's schema has no column {', '.join(lacking)}")
        columns = [Column(column, there[name][column]) for column in here if there[name].get(column)]
        key = keys.get(name, [])
        tables.append(Table(name, columns, [one for one in key if one in here], total=total))
    return _in_order(tables, [tuple(pair) for pair in psql.rows(queries.REFERENCES)]), problems


def load(source: sqlite3.Connection, psql: Psql, table: Table, done: dict[str, Any] | None, batch: int) -> None:
    """Copy the rows of a table in batches, each with a note of how far it came in the same transaction."""
    _tell(table=table.name, of=table.total)
    names = ", ".join(_quoted(column.name) for column in table.columns)
    begin = f"COPY public.{_quoted(table.name)} ({names}) FROM STDIN;\n"
    after: int | None = None
    if done:
        after = done["last"]
        table.rows, table.checksum, table.nuls = done["rows"], int(done["checksum"]), done["nuls"]
        if done["is_done"]:
            return
    noted = Noted()
    noted.nuls = table.nuls
    has_rowid = _has_rowid(source, table.name)
    while True:
        count, last = 0, after
        psql.write("BEGIN;\n" + begin)
        held: list[str] = []
        for row in _rows(source, table, after, batch if has_rowid else -1, has_rowid):
            last, values = row[0], row[1:]
            count += 1
            line = _line(table, values, noted)
            if line is None:
                continue
            held.append(line)
            if len(held) >= 2000:
                psql.write("".join(held))
                held.clear()
        psql.write("".join(held) + "\\.\n")
        is_done = not has_rowid or count < batch
        table.nuls = noted.nuls
        psql.ask(queries.NOTE.format(name=_literal(table.name), last="NULL" if last is None else last, rows=table.rows,
                              checksum=table.checksum, nuls=table.nuls, is_done=is_done) + "\nCOMMIT;")  # fmt: skip
        _tell(table=table.name, rows=table.rows, of=table.total)
        if is_done:
            return
        after = last


def prove(source: sqlite3.Connection, psql: Psql, table: Table) -> None:
    """Count and sum what the server has; where that differs, find the rows."""
    found = psql.rows(queries.SUM.format(hash=_row_hash(table), table=_quoted(table.name)))[0]
    table.target_rows, table.target_checksum = int(found[0]), int(found[1])
    if (table.target_rows, table.target_checksum) == (table.rows, table.checksum) or not table.key:
        return
    kinds = {column.name: column.kind for column in table.columns}
    key = ", ".join(canonical_sql(kinds[one], _quoted(one)) for one in table.key)
    noted = Noted()
    places = [[column.name for column in table.columns].index(one) for one in table.key]
    for chunk in _chunks(_rows(source, table, None, -1, False), 5000):
        hashes: dict[tuple[str, ...], int] = {}
        for row in chunk:
            try:
                fields = [
                    convert(column.kind, value, noted) for column, value in zip(table.columns, row[1:], strict=True)
                ]
            except Unfit:
                continue
            hashes[tuple((fields[place] or ("", ""))[1] for place in places)] = _hash(fields)
        wanted = ", ".join("(" + ", ".join(_literal(part) for part in each) + ")" for each in hashes)
        query = queries.FIND.format(key=key, hash=_row_hash(table), table=_quoted(table.name), wanted=wanted)
        there = {tuple(row[:-1]): int(row[-1]) for row in psql.rows(query)} if wanted else {}
        table.differing += [_key(table, each) for each, digest in hashes.items() if there.get(each) != digest]
        if len(table.differing) >= _SHOWN:
            break


def _line(table: Table, values: tuple[Any, ...], noted: Noted) -> str | None:
    try:
        fields = [convert(column.kind, value, noted) for column, value in zip(table.columns, values, strict=True)]
    except Unfit as unfit:
        table.unfit_count += 1
        if len(table.unfit) < _SHOWN:
            names = [column.name for column in table.columns]
            place = _key(table, tuple(str(values[names.index(one)]) for one in table.key))
            table.unfit.append(f"{place}: {unfit}")
        return None
    table.rows += 1
    table.checksum += _hash(fields)
    return "\t".join("\\N" if one is None else one[0] for one in fields) + "\n"


def _hash(fields: list[Any]) -> int:
    text = "".join("-" if one is None else f"{len(one[1])}:{one[1]}" for one in fields)
    number = int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big")
    return number - (_SIGN << 1) if number >= _SIGN else number


def _row_hash(table: Table) -> str:
    """The SQL of `_hash`."""
    parts = []
    for column in table.columns:
        text = canonical_sql(column.kind, _quoted(column.name))
        parts.append(f"coalesce(length({text})::text || ':' || {text}, '-')")
    return f"('x' || substr(md5({' || '.join(parts)}), 1, 16))::bit(64)::int8"


def _rows(
    source: sqlite3.Connection, table: Table, after: int | None, limit: int, has_rowid: bool
) -> Iterator[tuple[Any, ...]]:
    names = ", ".join(_quoted(column.name) for column in table.columns)
    first = "rowid" if has_rowid else "NULL"
    query = f"SELECT {first}, {names} FROM {_quoted(table.name)}"  # noqa: S608 - quoted
    if has_rowid:
        query += f" WHERE rowid > {after}" if after is not None else ""
        query += f" ORDER BY rowid LIMIT {limit}"
    yield from source.execute(query)


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def _in_order(tables: list[Table], references: list[tuple[str, ...]]) -> list[Table]:
    """Those that are referred to first; a circle of references in the order of its names."""
    left, out = {table.name: table for table in tables}, []
    needs = {name: {to for by, to in references if by == name and to != name and to in left} for name in left}
    while left:
        ready = [name for name in left if not needs[name] & left.keys()] or [min(left)]
        out += [left.pop(name) for name in ready]
    return out


def _begin(psql: Psql, fingerprint: str, tables: list[Table]) -> dict[str, dict[str, Any]]:
    """What an earlier copy of the very same file had done; everything is emptied when there is none."""
    psql.ask(queries.NOTES)
    mark = _literal(fingerprint)
    if psql.rows(queries.SAME_SOURCE.format(fingerprint=mark)):
        return dict(psql.rows(queries.DONE))
    listed = ", ".join(f"public.{_quoted(table.name)}" for table in tables)
    psql.ask(queries.EMPTY.format(tables=f"TRUNCATE {listed} CASCADE;" if listed else ""))
    psql.ask(queries.REMEMBER.format(fingerprint=mark))
    return {}


def _reset_sequences(psql: Psql, tables: list[Table]) -> None:
    copied = {table.name for table in tables}
    for table, column, sequence in psql.rows(queries.SEQUENCES):
        if table in copied:
            names = {"sequence": _literal(sequence), "column": _quoted(column), "table": _quoted(table)}
            psql.ask(queries.RESTART.format(**names))


def _broken_keys(psql: Psql) -> list[str]:
    """References to rows that are not there: they were not checked while the rows came in."""
    broken = []
    for name, table, other, columns, others in psql.rows(queries.FOREIGN_KEYS):
        joint = " AND ".join(f"p.{_quoted(b)} = c.{_quoted(a)}" for a, b in zip(columns, others, strict=True))
        given = " AND ".join(f"c.{_quoted(a)} IS NOT NULL" for a in columns)
        names = {"table": _quoted(table), "other": _quoted(other), "joint": joint, "given": given}
        count = psql.rows(queries.BROKEN.format(**names))[0]
        if count:
            broken.append(f"{table}: {count:,} rows refer to rows of {other} that are not there ({name})")
    return broken


def _has_rowid(source: sqlite3.Connection, name: str) -> bool:
    try:
        source.execute(f"SELECT rowid FROM {_quoted(name)} LIMIT 1")  # noqa: S608 - quoted
    except sqlite3.OperationalError:
        return False
    return True


def _fingerprint(path: str) -> str:
    """Changes with every write to the file: a copy goes on only from what it began with."""
    marks = []
    for name in (path, f"{path}-wal"):
        try:
            found = os.stat(name)
            marks.append(f"{found.st_size}:{found.st_mtime_ns}")
        except OSError:
            marks.append("-")
    return f"{Path(path).absolute()} {' '.join(marks)}"


def _is_whole(tables: list[Table], broken: list[str]) -> bool:
    equal = all((t.target_rows, t.target_checksum) == (t.rows, t.checksum) and not t.unfit_count for t in tables)
    return equal and not broken


def _said(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "rows": table.total,
        "copied": table.target_rows,
        "is_equal": (table.target_rows, table.target_checksum) == (table.rows, table.checksum),
        "checksum": f"{table.checksum & ((1 << 64) - 1):016x}",
        "nuls": table.nuls,
        "unfit": table.unfit,
        "unfit_count": table.unfit_count,
        "differing": table.differing[:_SHOWN],
    }


def _key(table: Table, values: tuple[str, ...]) -> str:
    named = zip(table.key, values, strict=False)
    return f"{table.name} " + (", ".join(f"{name} {value}" for name, value in named) or "(no primary key)")


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _text(raw: bytes) -> str | bytes:
    """Text as SQLite holds it; what is no UTF-8 stays bytes, so that it is told of and not changed."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
