"""Reading the schema of a database as a `Shape`."""

from __future__ import annotations

import msgspec

from underway.terms.shape import Shape

read_shape = msgspec.json.Decoder(Shape).decode

_OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'underway_rehearsal', 'underway_held')"
    " AND n.nspname !~ '^pg_'"
)
SHAPE_SQL = """\
SELECT json_build_array(
  (SELECT coalesce(json_object_agg(name, columns), '{}') FROM (
     SELECT n.nspname || '.' || c.relname AS name, coalesce(json_object_agg(a.attname, json_build_array(
              format_type(a.atttypid, a.atttypmod), a.attnotnull,
              a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '')) FILTER (WHERE a.attname IS NOT NULL), '{}')
              AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND OURS GROUP BY 1) AS t),
  (SELECT coalesce(json_object_agg(name, says), '{}') FROM (
     SELECT n.nspname || '.' || c.relname || ' ' || k.conname AS name, pg_get_constraintdef(k.oid) AS says
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE OURS AND k.contype <> 'n'
     UNION ALL
     SELECT n.nspname || '.' || c.relname || ' ' || x.relname, pg_get_indexdef(x.oid)
       FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE OURS AND i.indisunique
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.conrelid = c.oid)
     UNION ALL
     SELECT n.nspname || '.' || c.relname || ' ' || g.tgname, pg_get_triggerdef(g.oid)
       FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE OURS AND NOT g.tgisinternal) AS r),
  (SELECT coalesce(json_object_agg(name, says), '{}') FROM (
     SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
            coalesce(pg_get_function_result(p.oid), '') AS says
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE OURS
     UNION ALL
     SELECT n.nspname || '.' || t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
       FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE OURS GROUP BY 1
     UNION ALL
     SELECT n.nspname || '.' || c.relname, 'sequence'
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND OURS) AS o)
);
""".replace("OURS", _OURS)
"""One row of JSON. NOT NULL constraints (contype n, PostgreSQL 18) are told by the columns."""
