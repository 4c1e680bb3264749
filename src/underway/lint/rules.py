"""What a migration should not do to a database in use, and how it is done instead.

Locks after PostgreSQL's manual, 13.3 and the notes of ALTER TABLE and CREATE INDEX.
`tests/drivers/database/test_hazards.py` shows each rule on a real server: what blocks, and that its recipe does not.
"""

from __future__ import annotations

from typing import NamedTuple

from underway.terms.migration import Harm


class Rule(NamedTuple):
    """`says` ends a sentence that begins with the statement; `grows` when the harm lasts as long as the table is large:
    it does not matter on a small one."""

    id: str
    harm: Harm
    says: str
    recipe: str
    grows: bool = False


_EXPAND = "release 1 adds the new one and writes both, a backfill copies in batches, release 2 reads the new one, and"
_D, _B, _L = Harm.DESTRUCTIVE, Harm.BREAKING, Harm.BLOCKING

_ALL = (
    Rule(
        "drop-table",
        _D,
        "removes the table with its rows, and the release that runs fails on it",
        "contract: first deploy a release that does not read or write the table; when it has been live long enough that"
        " you will not go back, drop the table in a migration of its own, marked contract = true",
    ),
    Rule(
        "drop-column",
        _D,
        "removes the column with its values, and the release that runs fails on it",
        "contract: first deploy a release that names the column nowhere (an ORM selects every column of its model);"
        " then drop it in a migration of its own, marked contract = true",
    ),
    Rule(
        "drop-schema",
        _D,
        "removes a schema or database with everything in it",
        "contract: move what is still used, deploy, then drop it in a migration of its own, marked contract = true",
    ),
    Rule(
        "truncate",
        _D,
        "removes every row, and everybody who uses the table waits",
        "delete in batches by primary key outside the migration; if the rows really must go at once, mark the migration"
        " contract = true",
    ),
    Rule(
        "delete-all",
        _D,
        "removes every row in one transaction",
        "delete in batches by primary key (WHERE id BETWEEN … AND …), each in a transaction of its own, outside the"
        " migration",
    ),
    Rule(
        "rename-column",
        _B,
        "takes away the name that the release that runs uses",
        f"expand and contract: {_EXPAND} a later contract migration drops the old column. Often the name in the code"
        " can change alone (a column name in the model)",
    ),
    Rule(
        "rename-table",
        _B,
        "takes away the name that the release that runs uses",
        "rename it and create a view of the old name in the same transaction (CREATE VIEW old AS SELECT * FROM new: a"
        " simple view takes writes too); drop the view in a later contract migration",
    ),
    Rule(
        "rename-object",
        _B,
        "takes away a name that the release that runs may use",
        "make the new one beside the old one, let the next release use it, and drop the old one in a later contract"
        " migration",
    ),
    Rule(
        "drop-object",
        _B,
        "takes away a view, function or type that the release that runs may use",
        "contract: deploy a release that does not use it, then drop it in a migration of its own, marked contract ="
        " true",
    ),
    Rule(
        "required-column",
        _B,
        "fails where the table has rows, and the release that runs cannot insert without the new column",
        "expand: add the column with a constant DEFAULT (PostgreSQL 11 and later do not touch the rows), or nullable;"
        " fill it in batches; set NOT NULL in a later release, as under set-not-null",
    ),
    Rule(
        "default-dropped",
        _B,
        "takes the default from a NOT NULL column that this migration adds, so the release that runs cannot insert"
        " rows any more",
        "keep the default in the database until no release is left that does not know the column (Django 5: db_default"
        " instead of default; before: null=True first)",
    ),
    Rule(
        "change-type",
        _B,
        "rewrites the table and its indexes while nobody can read it, and old code may not read the new type",
        f"expand and contract: add a column of the new type; {_EXPAND} a later contract migration drops the old column",
        grows=True,
    ),
    Rule(
        "set-not-null",
        _L,
        "reads the whole table while nobody can use it, and old code that writes NULL fails",
        "ADD CONSTRAINT c CHECK (x IS NOT NULL) NOT VALID; in a migration of its own VALIDATE CONSTRAINT c (nobody"
        " waits); then SET NOT NULL, which PostgreSQL takes from the constraint, and drop the constraint",
        grows=True,
    ),
    Rule(
        "rewrite-column",
        _L,
        "computes a value for every row while nobody can use the table (a volatile default, serial, identity or a"
        " stored generated column rewrites it)",
        "expand: add the column nullable without the default, then ALTER COLUMN … SET DEFAULT (new rows only), then"
        " fill the old rows in batches",
        grows=True,
    ),
    Rule(
        "rewrite-table",
        _L,
        "writes the whole table again while nobody can use it",
        "leave it out of migrations; pg_repack does the same beside the running app, or plan a maintenance window",
        grows=True,
    ),
    Rule(
        "index",
        _L,
        "stops writes to the table until the index is built",
        "CREATE INDEX CONCURRENTLY, in a migration without a transaction (alembic: with"
        " op.get_context().autocommit_block() and postgresql_concurrently=True; Django: atomic = False and"
        " AddIndexConcurrently)",
        grows=True,
    ),
    Rule(
        "drop-index",
        _L,
        "waits for every query on the table, and all others wait behind it",
        "DROP INDEX CONCURRENTLY, in a migration without a transaction",
        grows=True,
    ),
    Rule(
        "reindex",
        _L,
        "stops writes, and reads that would use the index, until it is built",
        "REINDEX … CONCURRENTLY, outside the migration",
        grows=True,
    ),
    Rule(
        "foreign-key",
        _L,
        "checks every row while writes to both tables wait",
        "ADD CONSTRAINT … FOREIGN KEY … NOT VALID, then VALIDATE CONSTRAINT in a migration of its own: it lets reads"
        " and writes go on",
        grows=True,
    ),
    Rule(
        "check",
        _L,
        "checks every row while nobody can use the table",
        "ADD CONSTRAINT … CHECK (…) NOT VALID, then VALIDATE CONSTRAINT in a migration of its own: it lets reads and"
        " writes go on",
        grows=True,
    ),
    Rule(
        "exclude",
        _L,
        "builds an index while nobody can use the table; it cannot be done beside writes",
        "plan a maintenance window, or make a new table with the constraint and move the rows in batches",
        grows=True,
    ),
    Rule(
        "unique",
        _L,
        "builds an index while nobody can use the table",
        "CREATE UNIQUE INDEX CONCURRENTLY i …, then ALTER TABLE … ADD CONSTRAINT c UNIQUE USING INDEX i: that takes an"
        " instant",
        grows=True,
    ),
    Rule(
        "primary-key",
        _L,
        "builds an index and reads every row while nobody can use the table",
        "CREATE UNIQUE INDEX CONCURRENTLY i …, make the columns NOT NULL as under set-not-null, then ADD CONSTRAINT c"
        " PRIMARY KEY USING INDEX i",
        grows=True,
    ),
    Rule(
        "validate-with-lock",
        _L,
        "checks every row while the transaction still holds the lock that an earlier statement took",
        "put VALIDATE CONSTRAINT into a migration of its own, with its own transaction",
        grows=True,
    ),
    Rule(
        "work-with-lock",
        _L,
        "works on many rows while the transaction still holds a lock that nobody gets past",
        "put the change of the schema and the work on rows into migrations of their own, the work in batches",
        grows=True,
    ),
    Rule(
        "update-all",
        _L,
        "writes every row in one transaction: others who write a row wait to its end, and the table doubles",
        "backfill in batches by primary key (WHERE id BETWEEN … AND …), each in a transaction of its own, in a task"
        " outside the migration",
        grows=True,
    ),
    Rule(
        "refresh",
        _L,
        "stops reads of the materialized view until it is made again",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY (the view needs a unique index)",
        grows=True,
    ),
    Rule(
        "lock-table",
        _L,
        "locks a table against others to the end of the transaction",
        "leave it out: every statement takes the lock it needs; to keep two migrations apart take"
        " pg_advisory_xact_lock",
    ),
    Rule(
        "detach-partition",
        _L,
        "waits for every query on the partitioned table, and all others wait behind it",
        "DETACH PARTITION … CONCURRENTLY, in a migration without a transaction",
        grows=True,
    ),
    Rule(
        "concurrently-in-transaction",
        _B,
        "fails: CONCURRENTLY cannot run inside a transaction",
        "let the tool run this migration without one (alembic: autocommit_block(); Django: atomic = False)",
    ),
)
RULES = {rule.id: rule for rule in _ALL}

OF_SQUAWK = {
    "ban-drop-table": "drop-table",
    "ban-drop-column": "drop-column",
    "ban-drop-schema": "drop-schema",
    "ban-drop-database": "drop-schema",
    "ban-drop-view": "drop-object",
    "ban-drop-function": "drop-object",
    "ban-drop-type": "drop-object",
    "ban-drop-domain": "drop-object",
    "ban-drop-sequence": "drop-object",
    "ban-drop-extension": "drop-object",
    "ban-truncate-cascade": "truncate",
    "renaming-column": "rename-column",
    "renaming-table": "rename-table",
    "renaming-object": "rename-object",
    "changing-column-type": "change-type",
    "adding-required-field": "required-column",
    "adding-not-nullable-field": "set-not-null",
    "adding-field-with-default": "rewrite-column",
    "adding-serial-primary-key-field": "primary-key",
    "adding-foreign-key-constraint": "foreign-key",
    "constraint-missing-not-valid": "check",
    "ban-alter-domain-with-add-constraint": "check",
    "disallowed-unique-constraint": "unique",
    "require-concurrent-index-creation": "index",
    "require-concurrent-index-deletion": "drop-index",
    "require-concurrent-reindex": "reindex",
    "require-concurrent-partition-detach": "detach-partition",
}
"""Squawk's rules that matter to a running app. Its others are about style, or told here more exactly."""
