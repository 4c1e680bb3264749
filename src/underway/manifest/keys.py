"""What a key of the manifest is: its name in the file, what it takes, an example and its meaning.

A key is declared once, in an `Annotated` field of `model.py`. The reader, the writer and the reference page all
follow that declaration; the default is the dataclass field's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import MappingProxyType
from typing import Any, get_type_hints

from underway.manifest.kinds import Kind


@dataclass(frozen=True)
class Key:
    """One key with a value of its own. `example` is TOML as it would stand right of `=`."""

    name: str
    kind: Kind
    example: str
    says: str


@dataclass(frozen=True)
class Table:
    """A key that holds a table.

    `of` is the dataclass it becomes. `short` names the key that a bare value stands for (`health = "/up"` is
    `[health] path = "/up"`); with `is_switch`, `true` stands for the table with its defaults and `false` for none.
    With `names`, the table holds any number of tables under names of that kind. With `is_list` it is an array of
    tables (`[[smoke]]`), at most `MOST_LISTED`; the value is a tuple.
    `says` describes it; `entry` is the word for one of many in the reference page.
    """

    name: str
    of: type[Any]
    says: str
    short: str = ""
    is_switch: bool = False
    names: Kind | None = None
    entry: str = "NAME"
    short_when_written: bool = False
    is_list: bool = False


@dataclass(frozen=True)
class Declared:
    """A field of a dataclass with what was declared for it."""

    field: str
    key: Key | Table
    default: object
    is_required: bool

    @property
    def name(self) -> str:
        return self.key.name


MOST_LISTED = 50
_DECLARED: dict[type[Any], tuple[Declared, ...]] = {}


def declared(of: type[Any]) -> tuple[Declared, ...]:
    """Every key of a table, in the order of the file. Raises `TypeError` for a field that declares none."""
    if (known := _DECLARED.get(of)) is not None:
        return known
    hints = get_type_hints(of, include_extras=True)
    out: list[Declared] = []
    for each in fields(of):
        keys = [m for m in getattr(hints[each.name], "__metadata__", ()) if isinstance(m, Key | Table)]
        if len(keys) != 1:
            raise TypeError(f"{of.__name__}.{each.name} declares {len(keys)} keys")
        default: object = None
        is_required = each.default is MISSING and each.default_factory is MISSING
        if each.default is not MISSING:
            default = each.default
        elif each.default_factory is not MISSING:
            default = each.default_factory()
        out.append(Declared(field=each.name, key=keys[0], default=default, is_required=is_required))
    return _DECLARED.setdefault(of, tuple(out))


def frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping that nobody can change."""
    return MappingProxyType(dict(mapping))
