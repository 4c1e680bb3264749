"""What differs between two schemas, and whether all of it only adds."""

from __future__ import annotations

from typing import Protocol

from underway.terms.shape import Column, Shape


def differences(was: Shape, now: Shape) -> tuple[list[str], bool]:
    """What is different, one line each, and whether all of it only adds: code that knows only `was` can read and write
    everything as before."""
    said: list[str] = []
    is_additive = True

    def note(line: str, *, adds: bool) -> None:
        nonlocal is_additive
        said.append(line)
        is_additive = is_additive and adds

    for table in sorted({*was.columns, *now.columns}):
        shown = table.removeprefix("public.")
        if table not in now.columns:
            note(f"{shown} is gone", adds=False)
        elif table not in was.columns:
            note(f"{shown} is new", adds=True)
        else:
            _columns(shown, was.columns[table], now.columns[table], note)
    for name in sorted({*was.rules, *now.rules}):
        table, _, rule = name.partition(" ")
        if was.rules.get(name) == now.rules.get(name) or table not in was.columns or table not in now.columns:
            continue
        shown = f"{rule} on {table.removeprefix('public.')}"
        if name not in now.rules:
            note(f"{shown} is gone", adds=True)  # what was refused before is taken now
        else:
            note(f"{shown} is {'other' if name in was.rules else 'new'}: {now.rules[name][:120]}", adds=False)
    for name in sorted({*was.others, *now.others}):
        shown = name.removeprefix("public.")
        before, after = was.others.get(name), now.others.get(name)
        if after is None:
            note(f"{shown} is gone", adds=False)
        elif before is None:
            note(f"{shown} is new", adds=True)
        elif before != after:
            note(f"{shown} is other", adds=set(before.split(",")) <= set(after.split(",")))
    return said, is_additive


class _Note(Protocol):
    def __call__(self, line: str, *, adds: bool) -> None: ...


def _columns(table: str, was: dict[str, Column], now: dict[str, Column], note: _Note) -> None:
    for name in sorted({*was, *now}):
        before, after = was.get(name), now.get(name)
        if after is None:
            note(f"{table}.{name} is gone", adds=False)
        elif before is None:
            is_asked = after.is_required and not after.has_default
            note(f"{table}.{name} is new{' and required' * is_asked}", adds=not is_asked)
        elif before.type != after.type:
            note(f"{table}.{name} is {after.type}, was {before.type}", adds=False)
        elif after.is_required and not before.is_required:
            note(f"{table}.{name} takes no NULL any more", adds=False)
        elif after.is_required and before.has_default and not after.has_default:
            note(f"{table}.{name} has no default any more", adds=False)
        elif before != after:
            note(f"{table}.{name} is less strict", adds=True)
