"""What the scripts together say about a statement decides whether it harms anybody."""

from __future__ import annotations

import asyncio

import pytest

from underway.drivers.migrations.squawk import squawk
from underway.lint.lint import SMALL_BYTES, lint, mark_allowed, stopping
from underway.terms.migration import Harm, Script, TableNow

LARGE = TableNow(rows=10_000_000, total_bytes=SMALL_BYTES * 100)
SMALL = TableNow(rows=12, total_bytes=16_384)


def hazards(*scripts, tables=None, is_atomic=False):
    made = [Script(name=f"m{number}", sql=sql, is_atomic=is_atomic) for number, sql in enumerate(scripts)]
    return lint(made, asyncio.run(squawk(made)), tables)


def rules(*scripts, **more):
    return [hazard.rule for hazard in hazards(*scripts, **more)]


def test_a_table_that_the_migrations_make_themselves_is_nobodys_yet():
    made = "CREATE TABLE t (id int); ALTER TABLE t ADD CONSTRAINT u UNIQUE (id); UPDATE t SET id = 1"
    assert not rules(made, 'CREATE INDEX ON public."t" (id); DROP TABLE t')
    assert rules("CREATE INDEX ON t (id)", made) == ["index"]


def test_what_lasts_as_long_as_a_table_is_large_is_allowed_on_a_small_one():
    sql = "CREATE INDEX ON items (n); ALTER TABLE items DROP COLUMN n"
    found = hazards(sql, tables={"items": SMALL})
    assert [(hazard.rule, bool(hazard.allowed)) for hazard in found] == [("index", True), ("drop-column", False)]
    assert "12 rows" in found[0].allowed
    assert not any(hazard.allowed for hazard in hazards(sql, tables={"items": LARGE}))
    assert not any(hazard.allowed for hazard in hazards(sql))


def test_what_was_marked_is_told_and_stops_nothing():
    found = mark_allowed(hazards("DROP TABLE items"), "--allow contract")
    assert [hazard.harm for hazard in found] == [Harm.DESTRUCTIVE]
    assert not stopping(found)


def test_not_null_is_no_hazard_once_a_valid_check_says_so():
    set_it = "ALTER TABLE items ALTER COLUMN n SET NOT NULL"
    check = "ALTER TABLE items ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID"
    assert rules(set_it, tables={"items": LARGE}) == ["set-not-null"]
    proven = TableNow(rows=10**7, total_bytes=10**10, never_null=("n",))
    assert not rules(set_it, tables={"items": proven})
    assert not rules(check, "ALTER TABLE items VALIDATE CONSTRAINT c", set_it, tables={"items": LARGE})
    assert rules(check, set_it, tables={"items": LARGE}) == ["set-not-null"]


@pytest.mark.parametrize(
    ("was", "to", "keeps"),
    [
        ("character varying(40)", "varchar(80)", True),
        ("character varying(40)", "text", True),
        ("character varying(40)", "varchar(20)", False),
        ("numeric(8,2)", "numeric(12,2)", True),
        ("numeric(8,2)", "numeric(12,4)", False),
        ("integer", "bigint", False),
    ],
)
def test_a_wider_type_keeps_the_rows_as_they_are(was, to, keeps):
    now = TableNow(rows=10**7, total_bytes=10**10, columns={"n": was})
    found = rules(f"ALTER TABLE items ALTER COLUMN n TYPE {to}", tables={"items": now})
    assert found == ([] if keeps else ["change-type"])


def test_books_of_a_migration_tool_are_no_work_under_a_lock():
    sql = "ALTER TABLE items ADD COLUMN x int; UPDATE alembic_version SET version_num = '2' WHERE version_num = '1'"
    assert not rules(sql, is_atomic=True)


def test_a_lock_ends_with_its_transaction():
    sql = "BEGIN; ALTER TABLE items ADD COLUMN x int; COMMIT; BEGIN; UPDATE items SET x = 1 WHERE id < 9; COMMIT"
    assert not rules(sql)
    assert rules(sql.replace("COMMIT; BEGIN; ", "")) == ["work-with-lock"]


def test_a_statement_that_cannot_be_read_hides_no_other():
    assert rules("this is no sql; DROP TABLE a; select 'unclosed") == ["drop-table"]


def test_where_and_what_are_told_without_values():
    (hazard,) = hazards("-- first\nUPDATE people SET name = 'Ada Lovelace';")
    assert hazard.where == "m0:2"
    assert hazard.table == "people"
    assert "Ada" not in hazard.statement
    assert hazard.recipe
