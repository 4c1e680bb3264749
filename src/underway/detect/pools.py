"""How many connections one process of an app keeps to its database, where its settings or its code say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from underway.detect.model import Evidence
from underway.terms.tree import Tree

USUAL = 10
"""Where nothing says it: between the 5 and 20 that drivers come with (asyncpg and node-postgres 10, SQLAlchemy 5 and
up to 10 more, Prisma by processors)."""
_MOST_FILES = 2_000
_NAMES = re.compile(
    r"(DB|DATABASE|PG|POSTGRES|SQLALCHEMY|PRISMA)\w*(POOL\w*(SIZE|MAX)|MAX_CONN\w*|MAX_POOL\w*)|POOL_SIZE",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(max_size|maxsize|pool_size|poolSize|connectionLimit|connection_limit)\s*[=:]\s*(\d{1,4})\b")
_OVERFLOW = re.compile(r"\bmax_overflow\s*=\s*(\d{1,4})\b")
_NODE_POOL = re.compile(r"new\s+Pool\s*\(\s*\{[^}]*\bmax\s*:\s*(\d{1,4})\b", re.DOTALL)
_MAKES = re.compile(r"create_pool|create_async_engine|create_engine|ConnectionPool|new\s+Pool|knex\s*\(|postgres\s*\(")


class PoolClaim(NamedTuple):
    """The most connections of one process, and where that was read; empty for the usual number."""

    size: int
    evidence: str = ""


def pool_of(tree: Tree, variables: Mapping[str, str]) -> PoolClaim:
    """What the manifest's variables say, else the code that makes a pool, else the usual number."""
    for name, value in variables.items():
        if _NAMES.fullmatch(name) and value.isascii() and value.isdigit() and 0 < int(value) < 10_000:
            return PoolClaim(int(value), f"env.{name}")
    paths = [path for path in tree.paths if path.endswith((".py", ".js", ".ts", ".mjs", ".cjs"))]
    for path in paths[:_MOST_FILES]:
        if "test" in path or "migration" in path or "node_modules/" in path:
            continue
        text = tree.text(path)
        if not _MAKES.search(text):
            continue
        found = _CODE.search(text) or _NODE_POOL.search(text)
        if found:
            size = int(found[found.lastindex or 1])
            more = _OVERFLOW.search(text)
            at = Evidence.at(path, text, found.start())
            return PoolClaim(size + (int(more[1]) if more else 0), str(at))
    return PoolClaim(USUAL)
