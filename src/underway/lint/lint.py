"""Scripts and what squawk spotted in them → hazards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from underway.lint.own import (
    adds_null_column,
    created_by,
    index_dropped,
    index_made,
    keeps_rows,
    not_null_columns,
    own_rules,
    plain_name,
    proven_here,
    required_columns,
    table_of,
    takes_lock,
    undefaulted_columns,
    works_on_rows,
)
from underway.lint.rules import OF_SQUAWK, RULES
from underway.lint.statements import Statement, statements
from underway.terms.migration import Hazard, Script, Spotted, TableNow

SMALL_BYTES = 16_000_000
"""A table with its indexes below this is written again in a moment that others do not notice on a machine with time
to spare (`bench/rehearsal.py`: 0.6 to 1.1 s on two cores with 14 to 20 processes waiting for them)."""

_BEGINS = re.compile(r"begin\b|start transaction\b")
_ENDS = re.compile(r"commit\b|end\b|rollback\b(?! to)|abort\b")


@dataclass
class _Known:
    """What is known of the database at one point of the scripts."""

    sizes: Mapping[str, TableNow] | None
    made: set[str] = field(default_factory=set)
    """Tables that these scripts made: nobody uses them yet."""
    index_of: dict[str, str] = field(default_factory=dict)
    never_null: set[tuple[str, str]] = field(default_factory=set)
    """Table and column of checks that these scripts validated."""

    required: set[tuple[str, str]] = field(default_factory=set)
    """Table and column of NOT NULL columns that these scripts added."""
    checks: dict[str, str] = field(default_factory=dict)
    """Their constraints that say that a column is not null: name and column."""

    def table(self, name: str) -> TableNow | None:
        return self.sizes.get(name) if self.sizes else None


def lint(
    scripts: Sequence[Script],
    spotted: Mapping[str, Sequence[Spotted]],
    sizes: Mapping[str, TableNow] | None = None,
) -> tuple[Hazard, ...]:
    """Every hazard of `scripts`, in their order, each statement's worst first.

    `spotted` is what squawk found, by the script's name. `sizes` are the tables of the database that is migrated, None
    where it is not known: then every table is taken for large. What is about a table that the scripts themselves made
    is no hazard; what only lasts on a large table is `allowed` on a small one.
    """
    known = _Known(sizes)
    found: list[Hazard] = []
    for script in scripts:
        found += _lint_one(script, spotted.get(script.name, ()), known)
    return tuple(found)


def _lint_one(script: Script, spotted: Sequence[Spotted], known: _Known) -> list[Hazard]:
    found: list[Hazard] = []
    in_transaction, locked = script.is_atomic, ""
    parts = statements(script.sql)
    rules_at = _by_statement(script.sql, parts, spotted)
    for number, statement in enumerate(parts):
        plain = statement.plain
        if _BEGINS.match(plain) or _ENDS.match(plain):
            in_transaction, locked = bool(_BEGINS.match(plain)), ""
            continue
        table = _table(statement, known)
        broken = [*rules_at.get(number, ()), *own_rules(statement)]
        rules = dict.fromkeys(rule for rule in broken if not _is_excused(rule, statement, table, known))
        known.required |= {(table, column) for column in required_columns(statement)}
        if any((table, column) in known.required for column in undefaulted_columns(statement)):
            rules["default-dropped"] = None
        if " concurrently " in plain and in_transaction:
            rules["concurrently-in-transaction"] = None
        if locked and "validate constraint" in plain:
            rules["validate-with-lock"] = None
        elif locked and works_on_rows(statement) and table not in known.made:
            rules["work-with-lock"] = None
        found += _hazards(script, statement, table, tuple(rules), known)
        if made := created_by(statement):
            known.made.add(made)
        known.never_null |= {(table, column) for column in proven_here(statement, known.checks)}
        index, of = index_made(statement)
        if index:
            known.index_of[index] = of
        if in_transaction and takes_lock(statement) and table not in known.made:
            locked = table or "a table"
    return found


def _is_excused(rule: str, statement: Statement, table: str, known: _Known) -> bool:
    """True where a rule is stricter than the server is."""
    now = known.table(table)
    match rule:
        case "foreign-key":
            return adds_null_column(statement)
        case "set-not-null":
            proven = set(now.never_null if now else ()) | {column for of, column in known.never_null if of == table}
            return bool(proven) and not_null_columns(statement) <= proven
        case "change-type":
            return now is not None and keeps_rows(statement, now.columns)
        case _:
            return False


def _table(statement: Statement, known: _Known) -> str:
    return table_of(statement) or known.index_of.get(index_dropped(statement), "")


def _by_statement(sql: str, parts: Sequence[Statement], spotted: Sequence[Spotted]) -> dict[int, list[str]]:
    """Which of our rules squawk spotted in which statement."""
    starts = [0]
    for line in sql.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found: dict[int, list[str]] = {}
    for one in spotted:
        rule = OF_SQUAWK.get(one.rule)
        if rule is None:
            continue
        at = starts[min(one.line, len(starts) - 1)] + one.column
        number = next((n for n, part in enumerate(parts) if part.begin <= at < part.end), None)
        if number is not None:
            found.setdefault(number, []).append(_exact(rule, parts[number].plain))
    return found


def _exact(rule: str, plain: str) -> str:
    """Squawk has one rule for constraints that are checked at once; which one it is decides the recipe."""
    if rule != "check":
        return rule
    kinds: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("foreign-key", lambda text: "foreign key" in text),
        ("exclude", lambda text: bool(re.search(r"\bexclude\b", text))),
        ("primary-key", lambda text: "primary key" in text),
        ("unique", lambda text: bool(re.search(r"\bunique\b", text))),
    )
    return next((name for name, fits in kinds if fits(plain)), "check")


def _hazards(script: Script, statement: Statement, table: str, rules: Sequence[str], known: _Known) -> Sequence[Hazard]:
    if table in known.made:
        return ()
    found = []
    for name in rules:
        rule = RULES[name]
        found.append(
            Hazard(
                rule=name,
                harm=rule.harm,
                where=f"{script.name}:{statement.line}",
                statement=statement.shown,
                says=rule.says,
                recipe=rule.recipe,
                table=table,
                allowed=_small(table, known.sizes) if rule.grows else "",
            )
        )
    order = list(type(found[0].harm)) if found else []
    return sorted(found, key=lambda it: order.index(it.harm))


def _small(table: str, sizes: Mapping[str, TableNow] | None) -> str:
    """Why a table is small enough, empty when it is not or is not known."""
    if sizes is None or not table:
        return ""
    size = sizes.get(table) or sizes.get(plain_name(table))
    if size is None or size.total_bytes >= SMALL_BYTES:
        return ""
    return f"{table} is small: about {size.rows:,} rows, {size.total_bytes / 1e6:.1f} MB"


def mark_allowed(hazards: Sequence[Hazard], why: str) -> tuple[Hazard, ...]:
    """The same hazards, none of which stops a deploy."""
    return tuple(it if it.allowed else msgspec.structs.replace(it, allowed=why) for it in hazards)


def stopping(hazards: Sequence[Hazard]) -> tuple[Hazard, ...]:
    """Those that stop a deploy."""
    return tuple(it for it in hazards if not it.allowed)
