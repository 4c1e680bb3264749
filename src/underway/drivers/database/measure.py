"""What a PostgreSQL database holds: rows of every table, a digest of its schema, and what its migrations call it."""

from __future__ import annotations

import msgspec

from underway.terms.backup import Measured

HEADS = """\
SELECT format('SELECT json_build_array(%L, %L || (%s)) FROM %s LIMIT 1', 'head', tool || ' ', expression, home)
FROM (VALUES
  ('alembic', 'coalesce(string_agg(version_num, '','' ORDER BY version_num), ''base'')', 'public.alembic_version',
   '{version_num}'::name[]),
  ('django', 'coalesce(string_agg(app || ''.'' || name, '','' ORDER BY app), ''base'')', 'public.django_migrations',
   '{id,app,name}'),
  ('prisma', 'migration_name', 'public._prisma_migrations', '{migration_name,started_at,finished_at,rolled_back_at}'),
  ('drizzle', 'hash', 'drizzle.__drizzle_migrations', '{id,hash}'),
  ('knex', 'name', 'public.knex_migrations', '{id,name}'),
  ('goose', 'version_id', 'public.goose_db_version', '{id,version_id,is_applied}'),
  ('flyway', 'version', 'public.flyway_schema_history', '{installed_rank,version,success}'),
  ('version', 'coalesce(max(version::text), ''0'')', 'public.schema_migrations', '{version}')
) known(tool, expression, relation, columns),
LATERAL (SELECT CASE tool
    WHEN 'django' THEN '(SELECT DISTINCT ON (app) app, name FROM %s ORDER BY app, id DESC) m'
    WHEN 'prisma' THEN '(SELECT * FROM %s WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL'
                       ' ORDER BY started_at DESC, migration_name DESC) m'
    WHEN 'flyway' THEN '(SELECT * FROM %s WHERE success ORDER BY installed_rank DESC) m'
    WHEN 'goose' THEN '(SELECT * FROM %s WHERE is_applied ORDER BY id DESC) m'
    WHEN 'drizzle' THEN '(SELECT * FROM %s ORDER BY id DESC) m'
    WHEN 'knex' THEN '(SELECT * FROM %s ORDER BY id DESC) m'
    ELSE '%s' END AS rows) newest,
LATERAL (SELECT replace(rows, '%s', relation)) made(home)
WHERE columns <@ ARRAY(SELECT attname FROM pg_catalog.pg_attribute
                        WHERE attrelid = to_regclass(relation) AND NOT attisdropped) \\gexec
"""
"""What the tools write down of what they did: their own names of the newest migration, of Django's of each app. To be
run by psql; at most one line for each tool that is there."""

MEASURE = """\
SET LOCAL search_path = pg_catalog;
SELECT json_build_array('size', pg_database_size(current_database()));
SELECT json_build_array('extension', extname) FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname;
HEADS_HERE
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
""".replace("HEADS_HERE\n", HEADS)
"""To be run by psql in a transaction. `contype` 'n' (NOT NULL) exists from PostgreSQL 18 on; columns tell the same."""


def read_head(out: str) -> str:
    """What `HEADS` printed: "alembic 3f2a91c", "django auth.0012_x,shop.0003_y"; empty when no tool is known by its
    tables."""
    lines = [line for line in out.splitlines() if line.startswith("[")]
    return msgspec.json.decode(lines[0], type=tuple[str, str])[1] if lines else ""


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
                head = head or said
            case "size", [int() as found]:
                size = found
            case _:
                pass
    return Measured(tables=tables, schema=schema[:32], schema_head=head, size_bytes=size, extensions=tuple(extensions))
