"""The SQL of a copy. Rows come as one JSON value each; what stands in braces is quoted before."""

COLUMNS = """
SELECT json_build_array(c.relname, a.attname, t.typname, a.attgenerated <> '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;"""
PRIMARY_KEYS = """
SELECT json_build_array(c.relname, (SELECT json_agg(a.attname ORDER BY array_position(i.indkey::int2[], a.attnum))
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)))
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace;"""
REFERENCES = """
SELECT json_build_array(k.conrelid::regclass::text, k.confrelid::regclass::text) FROM pg_constraint k
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace;"""
FOREIGN_KEYS = """
SELECT json_build_array(k.conname, c.relname, p.relname,
  (SELECT json_agg(a.attname ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n),
  (SELECT json_agg(a.attname ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
   JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n))
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY k.conname;"""
SEQUENCES = """
SELECT json_build_array(c.relname, a.attname, pg_get_serial_sequence(format('%I.%I', 'public', c.relname), a.attname))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_get_serial_sequence(format('%I.%I', 'public', c.relname), a.attname) IS NOT NULL;"""
NOTES = """
CREATE SCHEMA IF NOT EXISTS underway_copy;
CREATE TABLE IF NOT EXISTS underway_copy.source (fingerprint text);
CREATE TABLE IF NOT EXISTS underway_copy.done
  (name text PRIMARY KEY, last int8, rows int8, checksum numeric, nuls int8, is_done boolean);"""
NOTE = """
INSERT INTO underway_copy.done VALUES ({name}, {last}, {rows}, {checksum}, {nuls}, {is_done})
ON CONFLICT (name) DO UPDATE SET last = excluded.last, rows = excluded.rows, checksum = excluded.checksum,
  nuls = excluded.nuls, is_done = excluded.is_done;"""
DONE = """
SELECT json_build_array(name, json_build_object('last', last, 'rows', rows, 'checksum', checksum::text, 'nuls', nuls,
  'is_done', is_done)) FROM underway_copy.done;"""
SUM = "SELECT json_build_array(count(*), coalesce(sum({hash}::numeric), 0)::text) FROM public.{table};"
FIND = "SELECT json_build_array({key}, {hash}::text) FROM public.{table} WHERE ({key}) IN (VALUES {wanted});"
RESTART = "SELECT setval({sequence}, greatest(coalesce(max({column}), 0) + 1, 1), false) FROM public.{table};"
BROKEN = """
SELECT count(*) FROM public.{table} c WHERE {given}
  AND NOT EXISTS (SELECT FROM public.{other} p WHERE {joint});"""
SAME_SOURCE = "SELECT to_json(fingerprint) FROM underway_copy.source WHERE fingerprint = {fingerprint};"
EMPTY = "BEGIN; TRUNCATE underway_copy.source, underway_copy.done; {tables}"
REMEMBER = "INSERT INTO underway_copy.source VALUES ({fingerprint}); COMMIT;"
