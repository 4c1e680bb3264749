"""What an SQLite database is: its schema as a `Shape`, what its migrations call it, and what a change made of it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from underway.lint.statements import masked
from underway.terms.rehearsal import Ran, TableChange
from underway.terms.shape import Column, Shape

_CHECK = re.compile(r"\bCHECK\s*\(", re.IGNORECASE)
_OURS = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'"
_HEADS = (
    ("alembic", "alembic_version", "SELECT group_concat(version_num) FROM (SELECT * FROM alembic_version ORDER BY 1)"),
    (
        "django",
        "django_migrations",
        "SELECT group_concat(app || '.' || name) FROM (SELECT app, name FROM django_migrations m WHERE id = (SELECT"
        " max(id) FROM django_migrations x WHERE x.app = m.app) ORDER BY app)",
    ),
    (
        "prisma",
        "_prisma_migrations",
        "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
        " ORDER BY started_at DESC, migration_name DESC LIMIT 1",
    ),
    ("drizzle", "__drizzle_migrations", "SELECT hash FROM __drizzle_migrations ORDER BY id DESC LIMIT 1"),
    ("knex", "knex_migrations", "SELECT name FROM knex_migrations ORDER BY id DESC LIMIT 1"),
    ("version", "schema_migrations", "SELECT max(version) FROM schema_migrations"),
)
"""The table in which a tool writes down what it did, and its name of the newest."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Raises `sqlite3.Error`."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as database:
        yield database


def shape_of(paths: Mapping[str, Path]) -> Shape:
    """The schema of several databases by their names; of one alone, its tables have their own names. Raises
    `sqlite3.Error`."""
    columns: dict[str, dict[str, Column]] = {}
    rules: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, path in sorted(paths.items()):
        before = "" if len(paths) == 1 else f"{name}:"
        with reading(path) as database:
            ours = f"SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE {_OURS}"  # noqa: S608 - a constant
            for kind, it, table, sql in database.execute(ours).fetchall():
                if kind in ("table", "view"):
                    columns[before + it] = _columns(database, it)
                    rules |= {f"{before}{it} {rule}": says for rule, says in _rules(database, it, sql or "")}
                elif kind == "trigger" or (sql and re.match(r"\s*CREATE\s+UNIQUE", sql, re.IGNORECASE)):
                    rules[f"{before}{table} {it}"] = " ".join((sql or "").split())
    return Shape(columns=columns, rules=rules, others=others)


def head_of(paths: Sequence[Path]) -> str:
    """As `Schemas.head`: of the first database in which a tool wrote something down. Raises `sqlite3.Error`."""
    for path in paths:
        with reading(path) as database:
            there = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            for tool, table, ask in _HEADS:
                if table in there:
                    with contextlib.suppress(sqlite3.Error):  # a table of the app's own that is called so
                        return f"{tool} {database.execute(ask).fetchone()[0] or 'base'}"
    return ""


def changed(was: Path, now: Path) -> tuple[tuple[TableChange, ...], tuple[Ran, ...]]:
    """The tables of which anything is different, and the definitions that are new. A table counts as written again when
    its rows lie elsewhere in the file (its root page is another). Raises `sqlite3.Error`."""
    with reading(now) as database:
        database.execute("ATTACH ? AS was", (f"{was.absolute().as_uri()}?mode=ro",))
        before, after = _tables(database, "was"), _tables(database, "main")
        found = []
        for table in sorted({*before, *after}):
            rows, written = _compared(database, table, table in before, table in after)
            is_rewritten = table in before and table in after and before[table] != after[table]
            if written or is_rewritten or (table in before) != (table in after):
                found.append(
                    TableChange(
                        table=table,
                        rows=rows,
                        rows_written=written,
                        was_bytes=_bytes(database, "was", table),
                        now_bytes=_bytes(database, "main", table),
                        is_rewritten=is_rewritten,
                    )
                )
        new = database.execute(
            f"SELECT sql FROM main.sqlite_schema WHERE {_OURS} AND sql NOT NULL"  # noqa: S608 - a constant
            " AND sql NOT IN (SELECT sql FROM was.sqlite_schema WHERE sql NOT NULL)"
        ).fetchall()
    found.sort(key=lambda it: (not it.is_rewritten, -it.rows_written, it.table))
    return tuple(found), tuple(Ran(statement=masked(sql), took_s=0.0) for (sql,) in new)


def _tables(database: sqlite3.Connection, schema: str) -> dict[str, int]:
    """The root page of each table that has one."""
    with_root = f"type = 'table' AND rootpage > 0 AND {_OURS}"
    ask = f"SELECT name, rootpage FROM {schema}.sqlite_schema WHERE {with_root}"  # noqa: S608 - main or was
    return dict(database.execute(ask).fetchall())


def _compared(database: sqlite3.Connection, table: str, was: bool, now: bool) -> tuple[int, int]:
    """How many rows there were (or are, of a new one), and how many are other or new or gone, in the columns that are
    in both."""
    name = _quoted(table)

    def count(what: str) -> int:
        return int(database.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608 - quoted

    if not was or not now:
        rows = count(f"{'was' if was else 'main'}.{name}")
        return rows, rows
    before = {row[1] for row in database.execute(f"PRAGMA was.table_info({name})")}
    both = [row[1] for row in database.execute(f"PRAGMA main.table_info({name})") if row[1] in before]
    if not both:
        return count(f"was.{name}"), count(f"main.{name}")
    shared = ", ".join(_quoted(column) for column in both)
    one, other = f"SELECT {shared} FROM main.{name}", f"SELECT {shared} FROM was.{name}"  # noqa: S608 - quoted
    return count(f"was.{name}"), max(count(f"({one} EXCEPT {other})"), count(f"({other} EXCEPT {one})"))


def _bytes(database: sqlite3.Connection, schema: str, table: str) -> int:
    """With its indexes; 0 where this SQLite cannot tell (sqlite.org/dbstat.html is an option of its build)."""
    ask = (
        f"SELECT coalesce(sum(pgsize), 0) FROM dbstat('{schema}', 1) WHERE name IN"  # noqa: S608 - main or was
        f" (SELECT name FROM {schema}.sqlite_schema WHERE tbl_name = ?)"
    )
    try:
        return int(database.execute(ask, (table,)).fetchone()[0])
    except sqlite3.Error:
        return 0


def _columns(database: sqlite3.Connection, table: str) -> dict[str, Column]:
    found = database.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    return {
        name: Column(
            type=(kind or "").lower(),
            is_required=bool(required or key),
            has_default=default is not None or bool(key),
        )
        for _, name, kind, required, default, key in found
    }


def _rules(database: sqlite3.Connection, table: str, sql: str) -> Iterator[tuple[str, str]]:
    """What rows must meet besides their columns: keys, unique constraints, references, checks."""
    quoted = _quoted(table)
    key = [row[1] for row in database.execute(f"PRAGMA table_info({quoted})") if row[5]]
    if key:
        yield "primary key", ", ".join(key)
    for _, name, is_unique, origin, _ in database.execute(f"PRAGMA index_list({quoted})").fetchall():
        if is_unique and origin == "u":
            columns = [str(row[2]) for row in database.execute(f"PRAGMA index_info({_quoted(name)})")]
            yield f"unique ({', '.join(columns)})", ", ".join(columns)
    for row in database.execute(f"PRAGMA foreign_key_list({quoted})").fetchall():
        yield f"reference of {row[3]}", f"{row[2]} ({row[4] or 'key'}) {row[5]} {row[6]}"
    for number, says in enumerate(sorted(_checks(sql))):
        yield f"check {number}", says


def _checks(sql: str) -> Iterator[str]:
    """The text of each CHECK, its blanks evened out."""
    for found in _CHECK.finditer(sql):
        depth, at = 1, found.end()
        while at < len(sql) and depth:
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield " ".join(sql[found.end() : at - 1].split())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
