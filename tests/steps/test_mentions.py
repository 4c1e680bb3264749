"""What is gone from a schema is looked for in the code that still runs."""

from __future__ import annotations

from underway.steps.mentions import gone_names, named_in
from underway.terms.tree import Tree

TEXTS = {
    "app/notes.py": "import x\nSQL = 'SELECT body FROM notes'\n",
    "migrations/0001.sql": "CREATE TABLE notes (title text)",
    "tests/test_notes.py": "title = 1",
    "README.md": "title",
}
TREE = Tree(name="t", paths=tuple(sorted(TEXTS)), texts=TEXTS)


def test_tables_and_columns_are_names_and_rules_are_not():
    lines = ["notes.title is gone", "side.old is gone", "u on notes is gone", "f(int) is gone", "notes.x is new"]
    assert gone_names(lines) == ("title", "old")


def test_code_counts_and_migrations_tests_and_prose_do_not():
    assert named_in(TREE, ("body",), ()) == "app/notes.py:2 names body"
    assert not named_in(TREE, ("title",), ("migrations",))
    assert named_in(TREE, ("title",), ()) == "migrations/0001.sql:1 names title"
    assert not named_in(TREE, ("bod",), ())
    assert not named_in(TREE, (), ())
