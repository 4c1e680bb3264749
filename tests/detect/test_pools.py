"""The size of an app's connection pool is read where it is written."""

from __future__ import annotations

import pytest

from underway.detect.pools import USUAL, pool_of
from underway.terms.tree import Tree


def tree(**texts):
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in texts.items()}
    return Tree(name="t", paths=tuple(sorted(named)), texts=named)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("pool = await asyncpg.create_pool(url, min_size=1, max_size=4)", 4),
        ("engine = create_async_engine(url, pool_size=7, max_overflow=3)", 10),
        ("engine = create_engine(url)", USUAL),
        ("bag = Box(max_size=3)", USUAL),
    ],
)
def test_python(text, size):
    assert pool_of(tree(app__db_dot_py=f"import x\n{text}\n"), {}).size == size


def test_node_and_where_it_was_read():
    found = pool_of(tree(db_dot_js="const p = new Pool({\n  host: 'x',\n  max: 25,\n})"), {})
    assert found == (25, "db.js:1")


def test_a_variable_counts_before_the_code_and_tests_do_not():
    code = tree(tests__db_dot_py="create_pool(max_size=99)")
    assert pool_of(code, {}).size == USUAL
    assert pool_of(code, {"DB_POOL_SIZE": "6"}) == (6, "env.DB_POOL_SIZE")
    assert pool_of(code, {"DB_POOL_SIZE": "many", "POOLS": "3"}).size == USUAL
