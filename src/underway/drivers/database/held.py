"""What the tables of a scratch database held before something was tried there, kept beside them as text, so that what
is gone afterwards can be counted whatever became of tables, columns and types."""

from __future__ import annotations

import msgspec

from underway.drivers.database.tools import identifier, literal
from underway.terms.rehearsal import Lost


class _Held(msgspec.Struct, frozen=True, array_like=True):
    number: int
    schema: str
    name: str
    columns: tuple[str, ...]
    is_there: bool
    now: tuple[str, ...]


class _Counted(msgspec.Struct, frozen=True, array_like=True):
    table: str
    rows: int
    columns: dict[str, int]


_MOST_COLUMNS = 40
"""A call takes a hundred arguments (FUNC_MAX_ARGS), two for each column."""
_held = msgspec.json.Decoder(tuple[_Held, ...])
_counted = msgspec.json.Decoder(_Counted)


def hold_script() -> str:
    """For psql: copy every table, each column as text. Nothing of the copy depends on the types of the original."""
    return _HOLD


def lost_script(held: str) -> str:
    """For psql, from what `HELD` printed: count by table the rows that are gone or hold something else in the columns
    that are there still, and the values of the columns that are not."""
    lines = ["SET search_path = pg_catalog;"]
    for it in _held.decode(held.strip() or "[]"):
        kept = f"underway_held.t{it.number}"
        table = f"{identifier(it.schema)}.{identifier(it.name)}"
        stay = [column for column in it.columns if column in it.now]
        rows = f"(SELECT count(*) FROM {kept})"  # noqa: S608 - each name is quoted
        if it.is_there and stay:
            was = ", ".join(identifier(column) for column in stay)
            now = ", ".join(f"{identifier(column)}::text" for column in stay)
            left = f"SELECT {was} FROM {kept} EXCEPT ALL SELECT {now} FROM ONLY {table}"  # noqa: S608 - likewise
            rows = f"(SELECT count(*) FROM ({left}) x)"  # noqa: S608 - likewise
        gone = [column for column in it.columns if column not in it.now][:_MOST_COLUMNS] if it.is_there else []
        counts = [f"(SELECT count({identifier(column)}) FROM {kept})" for column in gone]  # noqa: S608 - likewise
        values = ", ".join(f"{literal(column)}, {count}" for column, count in zip(gone, counts, strict=True))
        shown = it.name if it.schema == "public" else f"{it.schema}.{it.name}"
        lines.append(f"SELECT json_build_array({literal(shown)}, {rows}, json_build_object({values}));")
    return "\n".join(lines)


def read_lost(counted: str) -> tuple[Lost, ...]:
    """What the script of `lost_script` printed: the tables that lost anything."""
    found = []
    for line in counted.splitlines():
        if not line.startswith("["):
            continue
        it = _counted.decode(line)
        columns = {name: values for name, values in it.columns.items() if values}
        if it.rows or columns:
            found.append(Lost(table=it.table, rows=it.rows, columns=columns))
    return tuple(found)


_HOLD = """\
SET search_path = pg_catalog;
CREATE SCHEMA underway_held;
CREATE TABLE underway_held.tables AS
SELECT row_number() OVER (ORDER BY c.oid) AS number, n.nspname::text AS schema, c.relname::text AS name,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'underway_held')
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
SELECT format('CREATE UNLOGGED TABLE underway_held.t%s AS SELECT %s FROM ONLY %I.%I', number,
              (SELECT string_agg(format('%I::text AS %I', it, it), ', ') FROM unnest(columns) it), schema, name)
  FROM underway_held.tables ORDER BY number \\gexec
"""
HELD = """\
SET search_path = pg_catalog;
SELECT coalesce(json_agg(json_build_array(t.number, t.schema, t.name, t.columns, c.oid IS NOT NULL,
         ARRAY(SELECT a.attname::text FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY t.number), '[]')
  FROM underway_held.tables t
  LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind = 'r')
    ON n.nspname = t.schema AND c.relname = t.name;
"""
"""For psql: what is held, and the columns that each table has now."""
