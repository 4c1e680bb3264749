"""Statements are found by PostgreSQL's own rules, whatever the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from underway.lint.statements import masked, statements


def plain(sql):
    return [one.plain for one in statements(sql)]


def test_semicolons_in_strings_comments_names_and_bodies_end_nothing():
    sql = """-- a; b
    ALTER TABLE "Odd;Name" ADD x text DEFAULT 'a;''b'; /* c /* d; */ ; */
    CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN; END; $body$;
    SELECT E'\\';', U&"d;e" FROM t"""
    assert plain(sql) == [
        "alter table \"Odd;Name\" add x text default '…'",
        "create function f ( ) returns int language plpgsql as '…'",
        "select '…' , U&\"d;e\" from t",
    ]


def test_what_copy_reads_and_what_psql_is_told_are_no_statements():
    assert plain("COPY t FROM stdin;\n1;drop table x;\n\\.\n\\connect other\nSELECT 1;") == [
        "copy t from stdin",
        "select 1",
    ]


def test_lines_are_counted_from_one():
    assert [one.line for one in statements("\n\nSELECT 1;\n-- x\nSELECT\n2;SELECT 3")] == [3, 5, 6]


def test_values_do_not_show():
    shown = masked("INSERT INTO people VALUES ('Ada', E'secret\\'', $$body$$) -- Ada")
    assert "Ada" not in shown
    assert "secret" not in shown
    assert "body" not in shown
    assert "people" in shown


@given(some.text(alphabet="ab'\"$;-*/\\\n e1é", max_size=80))
def test_any_text_is_read_to_its_end(sql):
    found = statements(sql)
    assert all(0 <= one.begin < one.end <= len(sql) for one in found)
    assert [one.begin for one in found] == sorted({one.begin for one in found})
    masked(sql)
