"""Text → a frozen manifest, or all of its problems at once, each located."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from underway.manifest.fits import CHECKS
from underway.manifest.keys import MOST_LISTED, Declared, Key, Table, declared
from underway.manifest.kinds import close_to
from underway.manifest.lines import Lines
from underway.manifest.model import MANIFEST_FILE, MANIFEST_VERSION, Manifest
from underway.manifest.spot import CHECK_AGAIN, Found, Spot, shown
from underway.terms.problem import Problem, Refusal

MOST_BYTES = 1 << 20
"""A manifest is written by people; a mebibyte is not."""
_MOST_DOTS = 400
"""tomllib takes time quadratic in the parts of one dotted key."""


@dataclass(frozen=True)
class Written:
    """What a file says: the values of the top-level keys it has (by field of `Manifest`), and its lines."""

    values: Mapping[str, object]
    lines: Lines
    file: str = MANIFEST_FILE


def read_manifest(text: str, *, file: str = MANIFEST_FILE) -> Manifest:
    """The manifest that `text` says, defaults filled in.

    Raises `Refusal` with every problem of the file. `file` is how problems name it.
    """
    written = read_written(text, file=file, is_whole=True)
    return Manifest(**dict(written.values))  # type: ignore[arg-type]  # each value was read by its own declaration


def read_written(text: str, *, file: str = MANIFEST_FILE, is_whole: bool = False) -> Written:
    """Only what the file says; with `is_whole`, keys without a default must be there.

    Raises `Refusal` with every problem of the file.
    """
    raw = _parse(text, file)
    lines = Lines(text)
    found = Found(file, lines.line_of)
    top = Spot(found)
    version = raw.get("manifest", MANIFEST_VERSION)
    if isinstance(version, int) and not isinstance(version, bool) and version != MANIFEST_VERSION:
        top.at("manifest").refuse(
            f"this manifest is of version {shown(version)}; this Underway reads version {MANIFEST_VERSION}",
            "upgrade Underway, or write manifest = 1 and the keys of docs/manifest.md",
            "manifest.version",
        )
        raise Refusal(found.all())
    values = _read_keys(Manifest, raw, top, is_whole=is_whole)
    if found.count:
        raise Refusal(found.all())
    return Written(values=MappingProxyType(values), lines=lines, file=file)


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise _broken(file, line, "manifest.encoding", "a character is not UTF-8", "save the file as UTF-8") from None
    if size > MOST_BYTES:
        why = f"the file has {size} bytes, more than {MOST_BYTES}"
        raise _broken(file, 1, "manifest.too-large", why, "a manifest holds settings only; move the rest elsewhere")
    for number, each in enumerate(text.split("\n"), 1):
        if each.count(".") > _MOST_DOTS and not each.lstrip().startswith("#"):
            why = f"the line has more than {_MOST_DOTS} dots"
            raise _broken(file, number, "manifest.syntax", why, "write one key per line, of a few parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        why = "lists or tables are nested too deeply"
        raise _broken(file, 1, "manifest.syntax", why, "no key of a manifest is nested more than three deep") from None
    except (ValueError, OverflowError) as error:
        line, why = _syntax(str(error), text)
        raise _broken(file, line, "manifest.syntax", why, "see docs/manifest.md for a whole example") from None


def _syntax(message: str, text: str) -> tuple[int, str]:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|(end of document))\)$", message)
    if found is None:
        long = re.search(r"\d{4301,}", text)
        return (text.count("\n", 0, long.start()) + 1 if long else 1), "it is not TOML: a number is too long"
    line = int(found[1]) if found[1] else text.rstrip("\n").count("\n") + 1
    column = f" (column {found[2]})" if found[2] else " (at the end of the file)"
    return line, f"it is not TOML: {shown(message[: found.start()], 160)[1:-1]}{column}"


def _broken(file: str, line: int, code: str, why: str, remedy: str) -> Refusal:
    return Refusal([Problem(code=code, where=f"{file}:{line}", why=why, remedy=remedy, command=CHECK_AGAIN)])


def _read_keys(of: type[Any], raw: Mapping[str, Any], spot: Spot, *, is_whole: bool = True) -> dict[str, object]:
    """The values of a table by field; problems are noted at `spot`."""
    keys = declared(of)
    known = {each.name: each for each in keys}
    for name in raw:
        if name not in known:
            near = "" if spot.found.is_full else close_to(name, tuple(known))
            words = ", ".join(known)
            remedy = f'did you mean "{near}"?' if near else f"remove it, or use one of {words}"
            spot.at(name).refuse("there is no such key", remedy, "manifest.unknown-key")
    values: dict[str, object] = {}
    for each in keys:
        if each.name in raw:
            value = _read_value(each, raw[each.name], spot.at(each.name))
            if value is not _NOTHING:
                values[each.field] = value
        elif each.is_required and is_whole:
            example = each.key.example if isinstance(each.key, Key) else "…"
            spot.refuse(f"{each.name} is missing", f"add {each.name} = {example}", "manifest.missing")
    return values


_NOTHING = object()


def _read_value(each: Declared, raw: object, spot: Spot) -> object:
    """The value, or `_NOTHING` after a problem."""
    key = each.key
    if isinstance(key, Key):
        value = key.kind.read(raw, spot)
        return _NOTHING if value is None else value
    if key.names is not None:
        return _read_named(key, raw, spot)
    if key.is_list:
        return _read_list(key, raw, spot)
    return _read_table(key, raw, spot)


def _read_named(key: Table, raw: object, spot: Spot) -> object:
    assert key.names is not None
    if not isinstance(raw, Mapping):
        spot.refuse(f"{shown(raw)} is no table", f"write [{key.name}] and one {key.entry} per line", "manifest.type")
        return _NOTHING
    out: dict[str, object] = {}
    for name, each in raw.items():
        here = spot.at(name)
        is_named = key.names.read(name, here) is not None
        value = _read_table(key, each, here)
        if is_named and value is not _NOTHING:
            out[name] = value
    return MappingProxyType(out) if len(out) == len(raw) else _NOTHING


def _read_list(key: Table, raw: object, spot: Spot) -> object:
    if not isinstance(raw, list):
        spot.refuse(f"{shown(raw)} is no list of tables", f"write [[{_headed(spot)}]] above each", "manifest.type")
        return _NOTHING
    if len(raw) > MOST_LISTED:
        spot.refuse(f"it has {len(raw)} entries, more than {MOST_LISTED}", f"use at most {MOST_LISTED}")
        return _NOTHING
    read = [_read_table(key, each, spot.at(number)) for number, each in enumerate(raw)]
    return _NOTHING if any(each is _NOTHING for each in read) else tuple(read)


def _headed(spot: Spot) -> str:
    """The header that a list of tables at `spot` has."""
    return ".".join(part for part in spot.path if isinstance(part, str))


def _read_table(key: Table, raw: object, spot: Spot) -> object:
    if key.is_switch and isinstance(raw, bool):
        return key.of() if raw else None
    if not isinstance(raw, Mapping):
        short = next((d for d in declared(key.of) if d.name == key.short), None)
        if short is None or isinstance(raw, list):
            spot.refuse(f"{shown(raw)} is no table", f"write [{key.name}] and its keys below", "manifest.type")
            return _NOTHING
        assert isinstance(short.key, Key)
        value = short.key.kind.read(raw, spot)
        return _NOTHING if value is None else _fitting(key.of, {short.field: value}, spot)
    before = spot.found.count
    values = _read_keys(key.of, raw, spot)
    return _NOTHING if spot.found.count > before else _fitting(key.of, values, spot)


def _fitting(of: type[Any], values: Mapping[str, object], spot: Spot) -> object:
    """The table, after the rules that bind several of its keys."""
    made: object = of(**values)
    before = spot.found.count
    for check in CHECKS.get(of, ()):
        check(made, spot)
    return _NOTHING if spot.found.count > before else made
