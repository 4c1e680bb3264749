"""What SQLite holds as what PostgreSQL takes, and one text for each value that both sides can make.

`convert` gives the field of `COPY … FROM STDIN` (text format) and the canonical text; `canonical_sql` makes the same
canonical text on the server. Equal texts, equal values: a checksum over them proves a table.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

Field = tuple[str, str]
"""For COPY, and canonical."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECONDS_FROM = 1e11
"""A number of a time column from here on is milliseconds: as seconds it would be the year 5138."""
_LIMITS = {"int2": 1 << 15, "int4": 1 << 31, "int8": 1 << 63}
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Unfit(ValueError):
    """A value that the column cannot hold. Its text says why, for a person."""


class Noted:
    """What was changed on the way because PostgreSQL cannot hold it: NULs in text."""

    def __init__(self) -> None:
        self.nuls = 0


def convert(kind: str, value: Any, noted: Noted) -> Field | None:
    """`value` for a column of the type `kind` (`pg_type.typname`); None for NULL. Raises `Unfit`."""
    if value is None:
        return None
    return _CONVERTERS.get(kind, _as_text)(kind, value, noted)


def canonical_sql(kind: str, column: str) -> str:
    """The SQL that makes the canonical text of `column` (already quoted)."""
    return _SQL.get(kind, "{}::text").format(column)


def _bool(kind: str, value: Any, noted: Noted) -> Field:
    if value in (0, 1, 0.0, 1.0):
        return ("t", "1") if value else ("f", "0")
    word = str(value).strip().lower()
    if word in ("t", "true", "1", "y", "yes", "on"):
        return "t", "1"
    if word in ("f", "false", "0", "n", "no", "off", ""):
        return "f", "0"
    raise Unfit(f"{value!r} is no boolean")


def _int(kind: str, value: Any, noted: Noted) -> Field:
    if isinstance(value, float):
        if not value.is_integer():
            raise Unfit(f"{value!r} is no whole number")
        value = int(value)
    if not isinstance(value, int):
        try:
            value = int(str(value).strip())
        except ValueError:
            raise Unfit(f"{_short(value)} is no whole number") from None
    if not -_LIMITS[kind] <= value < _LIMITS[kind]:
        raise Unfit(f"{value} does not fit into {kind}")
    return str(value), str(value)


def _numeric(kind: str, value: Any, noted: Noted) -> Field:
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise Unfit(f"{_short(value)} is no number") from None
    if not number.is_finite():
        raise Unfit(f"{value} is not finite")
    text = format(number, "f")
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return text, "0" if plain in ("-0", "") else plain


def _float(kind: str, value: Any, noted: Noted) -> Field:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Unfit(f"{_short(value)} is no number") from None
    if kind == "float4":
        number = struct.unpack(">f", struct.pack(">f", number))[0]
    text = "NaN" if math.isnan(number) else repr(number).replace("inf", "Infinity")
    return text, struct.pack(">f" if kind == "float4" else ">d", number).hex()


def _bytea(kind: str, value: Any, noted: Noted) -> Field:
    held = value if isinstance(value, bytes) else str(value).encode()
    return "\\\\x" + held.hex(), held.hex()


def _text(kind: str, value: Any, noted: Noted) -> Field:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise Unfit("bytes that are no UTF-8, in a column of text") from None
    text = value if isinstance(value, str) else str(value)
    if "\0" in text:
        noted.nuls += 1
        text = text.replace("\0", "")
    return text.translate(_COPY_ESCAPES), text


def _as_text(kind: str, value: Any, noted: Noted) -> Field:
    return _text(kind, value, noted)


def _uuid(kind: str, value: Any, noted: Noted) -> Field:
    text = value.hex() if isinstance(value, bytes) else str(value).strip().strip("{}").replace("-", "").lower()
    if len(text) != 32 or not all(c in "0123456789abcdef" for c in text):
        raise Unfit(f"{_short(value)} is no UUID")
    return text, text


def _timestamp(kind: str, value: Any, noted: Noted) -> Field:
    moment = _moment(value)
    if kind == "timestamp" and moment.tzinfo is not None and isinstance(value, str):
        moment = moment.astimezone(UTC)
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    micros = (at - _EPOCH) // _MICROSECOND
    return at.astimezone(UTC).isoformat(sep=" "), str(micros)


def _moment(value: Any) -> datetime:
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        try:
            return _EPOCH + timedelta(seconds=seconds)
        except (OverflowError, ValueError):
            raise Unfit(f"{value} is no time") from None
    text = str(value).strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Unfit(f"{_short(value)} is no time") from None


def _date(kind: str, value: Any, noted: Noted) -> Field:
    if isinstance(value, int | float):
        found = _moment(value).date()
    else:
        try:
            found = date.fromisoformat(str(value).strip()[:10])
        except ValueError:
            raise Unfit(f"{_short(value)} is no day") from None
    return found.isoformat(), found.isoformat()


def _time(kind: str, value: Any, noted: Noted) -> Field:
    try:
        found = time.fromisoformat(str(value).strip())
    except ValueError:
        raise Unfit(f"{_short(value)} is no time of day") from None
    micros = ((found.hour * 60 + found.minute) * 60 + found.second) * 1_000_000 + found.microsecond
    return found.isoformat(), str(micros)


def _json(kind: str, value: Any, noted: Noted) -> Field:
    text = value.decode() if isinstance(value, bytes) else str(value)
    try:
        held = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unfit(f"{_short(value)} is no JSON") from None
    if kind == "jsonb" and "\\u0000" in text:
        raise Unfit("jsonb holds no \\u0000")
    return text.translate(_COPY_ESCAPES), jsonb_text(held) if kind == "jsonb" else text


def jsonb_text(value: Any) -> str:
    """As PostgreSQL prints jsonb: keys by length, then by bytes (src/backend/utils/adt/jsonb_util.c)."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
            return "{" + ", ".join(f"{_quoted(key)}: {jsonb_text(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ", ".join(jsonb_text(each) for each in value) + "]"
        case str():
            return _quoted(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def _quoted(text: str) -> str:
    """As `escape_json` does it: ASCII stays what it is, so does everything else but control characters."""
    escapes = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


_CONVERTERS: dict[str, Callable[[str, Any, Noted], Field]] = {
    "bool": _bool,
    "int2": _int,
    "int4": _int,
    "int8": _int,
    "numeric": _numeric,
    "float4": _float,
    "float8": _float,
    "bytea": _bytea,
    "uuid": _uuid,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
    "date": _date,
    "time": _time,
    "json": _json,
    "jsonb": _json,
}
_SQL = {
    "bool": "{}::int::text",
    "numeric": "trim_scale({})::text",
    "float4": "encode(float4send({}), 'hex')",
    "float8": "encode(float8send({}), 'hex')",
    "bytea": "encode({}, 'hex')",
    "uuid": "replace({}::text, '-', '')",
    "timestamp": "(extract(epoch FROM {}) * 1000000)::int8::text",
    "timestamptz": "(extract(epoch FROM {}) * 1000000)::int8::text",
    "time": "(extract(epoch FROM {}) * 1000000)::int8::text",
}
