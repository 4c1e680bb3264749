"""A manifest → the short text that says it: only what differs from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from underway.manifest.keys import Declared, Key, Table, declared
from underway.manifest.kinds import toml_name
from underway.manifest.model import MANIFEST_VERSION, Manifest

_NO_COMMENTS: Mapping[str, str] = MappingProxyType({})


def render(manifest: Manifest, *, comments: Mapping[str, str] = _NO_COMMENTS) -> str:
    """TOML that reads back as `manifest`.

    `comments` maps key paths (`health.path`, `processes.web`, `env.SECRET_KEY`) to a line that stands above the key;
    the comment of a table stands above its header. Paths that are not written are passed over; the empty path is
    the head of the file.
    """
    out = _comment("", comments)
    out.append(f"manifest = {MANIFEST_VERSION}")
    out += _body(Manifest, manifest, "", comments)
    return "\n".join(out).strip("\n") + "\n"


def _comment(path: str, comments: Mapping[str, str]) -> list[str]:
    text = comments.get(path, "")
    return [f"# {_printable(line)}".rstrip() for line in text.splitlines()]


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in line)


def _body(of: type[Any], made: object, path: str, comments: Mapping[str, str]) -> list[str]:
    """Keys first, then tables: in TOML a key after a header belongs to that header."""
    keys: list[str] = []
    tables: list[str] = []
    for each in declared(of):
        value = getattr(made, each.field)
        here = f"{path}.{each.name}" if path else each.name
        if of is Manifest and each.field == "version":
            continue
        if isinstance(each.key, Key):
            if each.is_required or value != each.default:
                keys += [*_comment(here, comments), f"{each.name} = {each.key.kind.show(value)}"]
        elif each.key.names is not None:
            tables += _named(each.key, value, here, comments)
        elif each.key.is_list:
            for entry in value:
                tables += ["", *_comment(here, comments), f"[[{here}]]", *_body(each.key.of, entry, here, comments)]
        elif value != each.default:
            inline = _inline(each.key, value) if each.key.short_when_written else None
            if inline is not None:
                keys += [*_comment(here, comments), f"{each.name} = {inline}"]
            else:
                tables += _table(each.key, value, here, comments)
    return keys + tables


def _table(key: Table, value: object, path: str, comments: Mapping[str, str]) -> list[str]:
    body = _body(key.of, value, path, comments)
    only_tables = bool(body) and body[0] == ""
    header = [] if only_tables and not comments.get(path) else ["", *_comment(path, comments), f"[{path}]"]
    return header + body


def _named(key: Table, value: Mapping[str, object], path: str, comments: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    tables: list[str] = []
    for name, each in value.items():
        written = toml_name(name)
        here = f"{path}.{written}"
        if key.short_when_written:
            inline = _inline(key, each) or _inline_table(key.of, each)
            lines += [*_comment(here, comments), f"{written} = {inline}"]
        else:
            tables += _table(key, each, here, comments)
    if lines:
        return ["", *_comment(path, comments), f"[{path}]", *lines, *tables]
    return tables


def _differing(of: type[Any], value: object) -> list[Declared]:
    return [d for d in declared(of) if d.is_required or getattr(value, d.field) != d.default]


def _inline(key: Table, value: object) -> str | None:
    """The short form, when it says everything."""
    if value is None:
        return "false" if key.is_switch else None
    differing = _differing(key.of, value)
    if not differing and key.is_switch:
        return "true"
    short = next(d for d in declared(key.of) if d.name == key.short)
    if any(d.name != key.short for d in differing):
        return None
    assert isinstance(short.key, Key)
    return short.key.kind.show(getattr(value, short.field))


def _inline_table(of: type[Any], value: object) -> str:
    parts = []
    for each in _differing(of, value):
        assert isinstance(each.key, Key)
        parts.append(f"{each.name} = {each.key.kind.show(getattr(value, each.field))}")
    return "{" + ", ".join(parts) + "}"
