"""Rules that read a statement themselves, where squawk has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from underway.lint.statements import Statement

_NAME = r'(?:"(?:[^"]|"")*"|[\w$]+)(?: ?\. ?(?:"(?:[^"]|"")*"|[\w$]+))*'
_DOT = re.compile(r" ?\. ?")
_TABLE_OF = tuple(
    re.compile(pattern.replace("NAME", _NAME))
    for pattern in (
        r"alter (?:foreign )?table (?:if exists )?(?:only )?(NAME)",
        r"create (?:unique )?index (?:concurrently )?(?:if not exists )?(?:NAME )?on (?:only )?(NAME)",
        r"create (?:(?:global |local )?(?:temporary|temp) |unlogged )?table (?:if not exists )?(NAME)",
        r"create materialized view (?:if not exists )?(NAME)",
        r"drop (?:table|materialized view) (?:if exists )?(NAME)",
        r"truncate (?:table )?(?:only )?(NAME)",
        r"update (?:only )?(NAME)",
        r"delete from (?:only )?(NAME)",
        r"(?:insert|merge) into (NAME)",
        r"lock (?:table )?(?:only )?(NAME)",
        r"reindex (?:\( [^)]* \) )?table (?:concurrently )?(NAME)",
        r"cluster (?:verbose )?(NAME)",
        r"vacuum (?:\( [^)]* \) |full |freeze |verbose |analyze )*(NAME)",
        r"refresh materialized view (?:concurrently )?(NAME)",
    )
)
_CREATES = re.compile(r"create (?:(?:global |local )?(?:temporary|temp) |unlogged )?table |create materialized view ")
_CREATES_INDEX = re.compile(
    rf"create (?:unique )?index (?:concurrently )?(?:if not exists )?({_NAME}) on (?:only )?({_NAME})"
)
_DROPS_INDEX = re.compile(rf"drop index (?:concurrently )?(?:if exists )?({_NAME})")
_VACUUM_FULL = re.compile(r"vacuum (?:\( (?:[^)]*[ ,])?full\b|(?:freeze |verbose )*full\b)")
_REWRITES = re.compile(
    r"\bset (?:logged|unlogged)\b|\bset tablespace\b|\bset access method\b|\bset (?:with|without) oids\b"
)
_COUNTS = re.compile(
    r"\badd (?:column )?(?:if not exists )?"
    rf"{_NAME} (?:small|big)?serial[248]?\b|\badd (?:column )?(?:if not exists )?{_NAME} .*\bgenerated\b"
)
_ADDS_COLUMN = re.compile(rf"\badd (?!constraint\b)(?:column )?(?:if not exists )?{_NAME} ")
_SETS_NOT_NULL = re.compile(rf"alter (?:column )?({_NAME}) set not null")
_ADDS_CHECK = re.compile(rf"add constraint ({_NAME}) check \( ?({_NAME}) is not null ?\)")
_VALIDATES = re.compile(rf"validate constraint ({_NAME})")
_SETS_TYPE = re.compile(
    rf"alter (?:column )?({_NAME}) (?:set data )?type ((?:[^,(]|\([^)]*\))+?)(?= using | collate |,|$)"
)
_CHECKS = re.compile(r"\bcheck \(")
_LOCKING = re.compile(r"alter table |truncate |lock |drop (?:table|index|materialized view) (?!concurrently)|cluster ")
_WORKING = re.compile(
    r"update |delete from |insert into .* select |create (?:unique )?index (?!concurrently)|merge into "
)
_BOOKS = re.compile(
    r"alembic_version|django_migrations|schema_migrations|schema_history|_migrations\b|db_version|aerich"
)
"""Where migration tools write what they applied: a row each."""
_DROPS_DEFAULT = re.compile(rf"alter (?:column )?({_NAME}) drop default")
_ADDS_REQUIRED = re.compile(
    rf"\badd (?!constraint\b)(?:column )?(?:if not exists )?({_NAME}) (?:[^,(]|\([^)]*\))*?\bnot null\b"
)


def is_book(table: str) -> bool:
    """True for a table in which a migration tool writes what it applied."""
    return bool(_BOOKS.search(table))


def table_of(statement: Statement) -> str:
    """The table that a statement is about, in lower case, without the schema `public`; empty when it names none."""
    for pattern in _TABLE_OF:
        if found := pattern.match(statement.plain):
            return plain_name(found[1])
    return ""


def plain_name(name: str) -> str:
    return _DOT.sub(".", name).removeprefix("public.")


def created_by(statement: Statement) -> str:
    """The table that a statement makes, empty when it makes none."""
    return table_of(statement) if _CREATES.match(statement.plain) else ""


def index_made(statement: Statement) -> tuple[str, str]:
    """The index that a statement makes and its table."""
    found = _CREATES_INDEX.match(statement.plain)
    return (plain_name(found[1]), plain_name(found[2])) if found else ("", "")


def index_dropped(statement: Statement) -> str:
    found = _DROPS_INDEX.match(statement.plain)
    return plain_name(found[1]) if found else ""


def own_rules(statement: Statement) -> Iterator[str]:
    """The rules that one statement breaks by itself."""
    plain = statement.plain
    if plain.startswith("truncate"):
        yield "truncate"
    elif plain.startswith("delete from") and not re.search(r"\bwhere\b|\busing\b", plain):
        yield "delete-all"
    elif plain.startswith("update ") and not re.search(r"\bwhere\b", plain):
        yield "update-all"
    elif _VACUUM_FULL.match(plain) or re.match(r"cluster\b", plain):
        yield "rewrite-table"
    elif plain.startswith("refresh materialized view") and "view concurrently" not in plain:
        yield "refresh"
    elif re.match(r"lock\b", plain):
        yield "lock-table"
    elif plain.startswith("alter table"):
        if _REWRITES.search(plain):
            yield "rewrite-table"
        if _COUNTS.search(plain):
            yield "rewrite-column"
        if _ADDS_COLUMN.search(plain) and _CHECKS.search(plain) and "add constraint" not in plain:
            yield "check"


def adds_null_column(statement: Statement) -> bool:
    """True for a column with a foreign key and no default. Every row is NULL, so nothing is checked
    (`transformAlterTableStmt` in src/backend/parser/parse_utilcmd.c)."""
    plain = statement.plain
    return bool(_ADDS_COLUMN.search(plain)) and " default " not in plain and "foreign key" not in plain


def not_null_columns(statement: Statement) -> set[str]:
    """The columns that a statement sets NOT NULL."""
    return set(_SETS_NOT_NULL.findall(statement.plain))


def proven_here(statement: Statement, checks: dict[str, str]) -> set[str]:
    """The columns of which a statement validates that they hold no NULL; `checks` remembers what is still to be
    validated, by the constraint's name. PostgreSQL 12 and later take SET NOT NULL from such a constraint."""
    if added := _ADDS_CHECK.search(statement.plain):
        checks[added[1]] = added[2]
        return set() if "not valid" in statement.plain else {added[2]}
    return {checks[name] for name in _VALIDATES.findall(statement.plain) if name in checks}


def required_columns(statement: Statement) -> set[str]:
    """The columns that a statement adds NOT NULL."""
    return set(_ADDS_REQUIRED.findall(statement.plain))


def undefaulted_columns(statement: Statement) -> set[str]:
    """The columns whose default a statement takes away."""
    return set(_DROPS_DEFAULT.findall(statement.plain))


def keeps_rows(statement: Statement, columns: Mapping[str, str]) -> bool:
    """True when every type that a statement sets holds the values of the old one as they are: a longer varchar or
    text, or a numeric of the same scale and more digits (manual, ALTER TABLE, notes)."""
    found = _SETS_TYPE.findall(statement.plain)
    return bool(found) and all(_is_wider(columns.get(column, ""), to.strip()) for column, to in found)


def _is_wider(was: str, to: str) -> bool:
    old = re.fullmatch(r"character varying(?: ?\( ?(\d+) ?\))?", was)
    if old:
        new = re.fullmatch(r"(?:varchar|character varying)(?: ?\( ?(\d+) ?\))?", to)
        if to == "text":
            return True
        return new is not None and (new[1] is None or (old[1] is not None and int(new[1]) >= int(old[1])))
    digits = re.compile(r"(?:numeric|decimal) ?\( ?(\d+) ?, ?(\d+) ?\)")
    before, after = digits.fullmatch(was), digits.fullmatch(to)
    return bool(before and after and before[2] == after[2] and int(after[1]) >= int(before[1]))


def takes_lock(statement: Statement) -> bool:
    """True when the statement leaves a lock that reads or writes of others do not get past."""
    return bool(_LOCKING.match(statement.plain)) and "validate constraint" not in statement.plain


def works_on_rows(statement: Statement) -> bool:
    return bool(_WORKING.match(statement.plain)) and not is_book(table_of(statement))
