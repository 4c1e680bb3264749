"""Tables that only files of SQL make: those that a new PostgreSQL is given, or that a person is meant to run once."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from underway.detect.draft import Draft
from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence, Notes
from underway.detect.starts import Starts
from underway.manifest.build import TABLES_SCRIPT
from underway.manifest.migrate import Migrate

_MAKES = re.compile(r"^\s*create\s+(?:unlogged\s+)?table\b", re.IGNORECASE | re.MULTILINE)
_OF_OTHERS = re.compile(r"`|\bauto_?increment\b|\bengine\s*=|\[dbo\]|\bvarchar2\b|\bnvarchar\b|\bGO\s*$", re.IGNORECASE)
"""What MySQL, SQLite, SQL Server and Oracle write and PostgreSQL does not read."""
_NOT_THE_WHOLE = re.compile(
    r"(^|/)(migrations?|versions|alembic|drizzle|seeds?|seeders|mysql|mariadb|sqlite\w*|clickhouse|mssql|oracle|queries)/"
    r"|(^|[/._-])(test|down|drop|undo|rollback|reset|delete|seed|mysql|sqlite|mock|backup)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(^|[._-])(schema|init|create|tables?|database|db|ddl|structure|setup)", re.IGNORECASE)
_CHANGES = re.compile(r"^\s*(?:update|insert\s+into|alter\s+table|delete\s+from)\b", re.IGNORECASE | re.MULTILINE)
_EXTENSION = re.compile(
    r"""^\s*create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([a-z_][a-z0-9_-]{0,60})"?""", re.IGNORECASE | re.MULTILINE
)
_MADE_BY_CODE = re.compile(
    r"\bcreate_all\b|\bCREATE\s+TABLE\b|\bsynchronize\s*:\s*true|\.sync\(\s*[{)]|\.create_tables\("
)
_MOST = 400


def tables_from_sql(index: Index, starts: Starts, draft: Draft, notes: Notes) -> None:
    """Make the tables of an empty database from the tree's files of SQL, where nothing else makes them.

    Files that compose gives a new PostgreSQL are run in the order in which its image runs them. Else the one file
    that makes tables is, where no code of the app does.
    """
    if draft.postgres is None or draft.migrate is not None:
        return
    files, at, says = _given(index, starts)
    if not files:
        files, at, says = _by_hand(index, notes)
    if not files or at is None:
        return
    draft.migrate = Migrate(f"sh {TABLES_SCRIPT} {shlex.join(files)}", paths=files)
    notes.claim("migrate", says, at, "migrate")
    wanted = [name.lower() for path in files for name in _EXTENSION.findall(index.text(path)) if name != "plpgsql"]
    if wanted:
        draft.postgres = replace(draft.postgres, extensions=tuple(dict.fromkeys((*draft.postgres.extensions, *wanted))))
        notes.claim("postgres", f"with {', '.join(dict.fromkeys(wanted))}", at, "services.postgres")


def _given(index: Index, starts: Starts) -> tuple[tuple[str, ...], Evidence | None, str]:
    found: dict[str, tuple[str, Evidence]] = {}
    for source, name, at in starts.first_sql:
        if index.has(source) and source.endswith(".sql"):
            found[name or source.rpartition("/")[2]] = source, at
        inside = () if name else [p for p in index.paths if folder_of(p) == source and p.endswith(".sql")]
        for path in inside[:_MOST]:  # a folder in the folder is not looked into
            found[path.rpartition("/")[2]] = path, at
    files = tuple(path for _, (path, _) in sorted(found.items()))
    if not any(_MAKES.search(index.text(path)) for path in files):
        return (), None, ""
    first = index.text(files[0])
    if _CHANGES.search(first) and not _MAKES.search(first):  # in this order they end at once, in the image too
        return (), None, ""
    at = next(iter(found.values()))[1]
    return files, at, f"compose gives a new database {_listed(files)}: run once, while it has no table"


def _by_hand(index: Index, notes: Notes) -> tuple[tuple[str, ...], Evidence | None, str]:
    makes: dict[str, Evidence] = {}
    for path in index.ending(".sql")[:_MOST]:
        text = index.text(path)
        found = None if _NOT_THE_WHOLE.search(path) or _OF_OTHERS.search(text) else _MAKES.search(text)
        if found:
            makes[path] = Evidence.at(path, text, found.end())
    if not makes:
        return (), None, ""
    code = index.ending(".py", ".js", ".ts", ".mjs", ".cjs")[:2000]
    if any(_MADE_BY_CODE.search(index.text(path)) for path in code):
        return (), None, ""
    named = [path for path in makes if _NAMED.search(path.rpartition("/")[2])]
    one = list(makes) if len(makes) == 1 else named
    if len(one) == 1:
        says = f"{one[0]} makes the tables and nothing else does: run once, while there is none"
        return (one[0],), makes[one[0]], says
    says = f"not run: {_listed(tuple(makes))} make tables, and nothing says which of them or in which order"
    notes.claim("migrate", says, next(iter(makes.values())))
    return (), None, ""


def _listed(files: tuple[str, ...]) -> str:
    more = len(files) - 3
    return ", ".join(files[:3]) + (f" and {more} more" if more > 0 else "")
