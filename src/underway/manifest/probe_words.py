"""The kinds of `[[smoke]]` and `[[journey]]`: paths and headers with placeholders, JSON values, places in JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from underway.manifest import words
from underway.manifest.kinds import Choice, ListOf, MapOf, Text, toml_name, toml_text
from underway.manifest.measures import Duration
from underway.manifest.spot import Spot, shown

Wrong = tuple[str, str] | None

PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]{0,39}|env\.[A-Za-z_][A-Za-z0-9_]{0,199})\}", re.ASCII)
"""`${token}` (kept by an earlier step), `${env.NAME}` (a variable of the app), `${unique}`."""
UNIQUE = "unique"
MOST_BODY = 65_536
_DEEPEST = 20
_PLACE = re.compile(r"(?:\[\d{1,6}\]|[^.\[\]\s\"']{1,100})(?:\[\d{1,6}\]|\.[^.\[\]\s\"']{1,100})*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_OURS = ("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect")


def _path(text: str) -> Wrong:
    if not text.startswith("/") or text.startswith("//"):
        return ("it does not begin with one /", "write the path alone, for instance /api/items")
    plain = PLACEHOLDER.sub("x", text)
    if re.search(r"[\s#<>\"{}|\\^`]|[^\x21-\x7e]", plain):
        return ("it holds a character that a path may not have", "percent-encode it (RFC 3986)")
    return None


def _sent_header(text: str) -> Wrong:
    if not _TOKEN.fullmatch(text):
        return ("it is no name of a header", 'write it as "Authorization"')
    if text.lower() in _OURS:
        return (f"{text} is set for every request by itself", "remove it")
    if text.lower().startswith("x-underway-"):
        return ("headers that begin with X-Underway- are Underway's own", "remove it")
    return None


def _header_value(text: str) -> Wrong:
    if re.search(r"[^\x20-\x7e]", text):
        return ("a header takes printable ASCII only", "encode what is not, for instance as base64")
    return None


def _token(text: str) -> Wrong:
    return None if _TOKEN.fullmatch(text) else ("it is no name of a header", 'write it as "Location"')


def _place(text: str) -> Wrong:
    if _PLACE.fullmatch(text):
        return None
    return ("it names no place in JSON", 'write it as "items[0].id"')


def _kept_name(text: str) -> Wrong:
    if text == UNIQUE or text == "env":
        return (f"{text} has a meaning of its own", "choose another name")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text, re.ASCII):
        return ("it is no name to keep a value under", "use lower-case letters, digits and _: token")
    return None


def _source(text: str) -> Wrong:
    kind, _, rest = text.partition(":")
    if kind == "json" and _PLACE.fullmatch(rest):
        return None
    if kind in ("header", "cookie") and _TOKEN.fullmatch(rest):
        return None
    if kind == "input" and rest.strip():
        return None
    return (
        "it does not say where a value stands",
        'write "json:user.id", "header:Location", "cookie:csrftoken" or "input:csrf_token"',
    )


@dataclass(frozen=True)
class JsonValue:
    """Any TOML value that JSON has too; kept as JSON text with sorted keys."""

    takes: str = "a value"

    def read(self, raw: object, spot: Spot) -> str | None:
        if (wrong := _not_json(raw, 0)) is not None:
            spot.refuse(*wrong, code="manifest.type")
            return None
        text = json.dumps(raw, ensure_ascii=False, sort_keys=True)
        if len(text) > MOST_BODY:
            spot.refuse(f"it has {len(text)} characters as JSON, more than {MOST_BODY}", "send less")
            return None
        return text

    def show(self, value: object) -> str:
        return _toml(json.loads(str(value))) if value != "" else '""'


@dataclass(frozen=True)
class JsonBody(JsonValue):
    """A table or list, to be sent as JSON. Empty text is none."""

    takes: str = "a table or a list"

    def read(self, raw: object, spot: Spot) -> str | None:
        if raw == "":
            return ""
        if not isinstance(raw, Mapping | list):
            spot.refuse(f"{shown(raw)} is no table", 'write {title = "x"}, or use body', "manifest.type")
            return None
        return super().read(raw, spot)


def _not_json(raw: object, depth: int) -> Wrong:
    if depth > _DEEPEST:
        return (f"it is nested more than {_DEEPEST} deep", "send something flatter")
    if isinstance(raw, bool | str):
        return None
    if isinstance(raw, int):
        return None if raw.bit_length() < 64 else ("the number is too large", "use one of 64 bits")
    if isinstance(raw, float):
        return None if math.isfinite(raw) else ("JSON has no such number", "use a finite one")
    if isinstance(raw, list):
        return next((wrong for each in raw if (wrong := _not_json(each, depth + 1)) is not None), None)
    if isinstance(raw, Mapping):
        return next((wrong for each in raw.values() if (wrong := _not_json(each, depth + 1)) is not None), None)
    return ("JSON has no dates and times", "write it as text")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_name(name)} = {_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


STATUS = words.STATUS
METHOD = Choice(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NAME = Text("a short name", '"the front page"', 80, may_be_empty=True)
JOURNEY_NAME = Text("a short name", '"buy a ticket"', 80)
PATH = Text("a URL path, with placeholders", '"/api/items"', 1000, _path)
TEXTS = ListOf(Text("text", '"Welcome"', 1000), 50)
PLACE = Text("a place in JSON", '"items[0].id"', 400, _place)
JSON_PATHS = ListOf(PLACE, 50)
JSON_VALUES = MapOf(PLACE, JsonValue(), 50)
JSON = JsonBody()
SENT_HEADER = Text("the name of a header", '"Authorization"', 100, _sent_header)
HEADER_VALUE = Text("text", '"text/html"', 4000, _header_value, may_be_empty=True)
SENT_HEADERS = MapOf(SENT_HEADER, HEADER_VALUE, 50)
EXPECTED_HEADER = Text("the name of a header", '"Location"', 100, _token)
EXPECTED_HEADERS = MapOf(EXPECTED_HEADER, HEADER_VALUE, 50)
BODY = Text("text", '"a=1"', MOST_BODY, may_be_empty=True, may_have_lines=True)
FORM_NAME = Text("the name of a field", "user", 200)
FORM_VALUE = Text("text", '"probe"', 4000, may_be_empty=True, may_have_lines=True)
FORM = MapOf(FORM_NAME, FORM_VALUE, 100)
KEPT_NAME = Text("a name", "token", 40, _kept_name)
SOURCE = Text("where a value stands", '"json:access_token"', 400, _source)
KEEP = MapOf(KEPT_NAME, SOURCE, 20)
TIMEOUT = Duration("100ms", "5m")
