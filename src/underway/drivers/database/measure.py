"""What a PostgreSQL database holds: rows of every table, a digest of its schema, and what its migrations call it."""

from __future__ import annotations

import msgspec

from underway.terms.backup import Measured

MEASURE = """\
SET LOCAL search_path = pg_catalog;
SELECT json_build_array('size', pg_database_size(current_database()));
SELECT json_build_array('extension', extname) FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname;
SELECT format('SELECT json_build_array(%L, %L || (%s)) FROM %s LIMIT 1', 'head', tool || ' ', expression, home)
FROM (VALUES
  ('alembic', 'coalesce(string_agg(version_num, '','' ORDER BY version_num), ''base'')', 'public.alembic_version', ''),
  ('django', 'app || ''.'' || name', 'public.django_migrations', 'id'),
  ('prisma', 'migration_name', 'public._prisma_migrations', 'started_at'),
  ('knex', 'name', 'public.knex_migrations', 'id'),
  ('rails', 'max(version)', 'public.schema_migrations', '')
) known(tool, expression, relation, latest),
LATERAL (SELECT CASE WHEN latest = '' THEN relation
                ELSE format('(SELECT * FROM %s ORDER BY %s DESC) m', relation, latest) END) made(home)
WHERE to_regclass(relation) IS NOT NULL \\gexec
WITH ours AS (
  SELECT c.oid, c.relkind, n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), lines AS (
  SELECT format('%s %s', relkind, name) AS line FROM ours WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
  UNION ALL
  SELECT format('c %s %s %s %s %s', o.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                coalesce(pg_get_expr(d.adbin, d.adrelid), ''))
  FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid
  LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
  WHERE o.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN ours o ON o.oid = i.indrelid WHERE i.indisvalid
  UNION ALL
  SELECT format('k %s %s %s', o.name, k.conname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN ours o ON o.oid = k.conrelid WHERE k.contype <> 'n'
  UNION ALL
  SELECT format('t %s %s', o.name, t.tgname)
  FROM pg_trigger t JOIN ours o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
)
SELECT json_build_array('schema', encode(sha256(convert_to(
  coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')) FROM lines;
SELECT format('SELECT json_build_array(%L, %L, count(*)) FROM ONLY %I.%I', 'table', n.nspname || '.' || c.relname,
              n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 \\gexec
"""
"""To be run by psql in a transaction. `contype` 'n' (NOT NULL) exists from PostgreSQL 18 on; columns tell the same."""


def read_measure(out: str) -> Measured:
    """What `MEASURE` printed."""
    tables: dict[str, int] = {}
    extensions: list[str] = []
    schema = head = ""
    size = 0
    for line in out.splitlines():
        if not line.startswith("["):
            continue
        kind, *rest = msgspec.json.decode(line, type=list[str | int])
        match kind, rest:
            case "table", [str() as name, int() as count]:
                tables[name] = count
            case "extension", [str() as name]:
                extensions.append(name)
            case "schema", [str() as digest]:
                schema = digest
            case "head", [str() as said]:
                head = said
            case "size", [int() as found]:
                size = found
            case _:
                pass
    return Measured(tables=tables, schema=schema[:32], schema_head=head, size_bytes=size, extensions=tuple(extensions))
