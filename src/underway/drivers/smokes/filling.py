"""Placeholders of a request → what is sent, and where an answer's values stand. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import quote, urlencode

from underway.drivers.loopback_http import Heard
from underway.manifest.probe_words import PLACEHOLDER
from underway.manifest.smoke import Smoke


class Sent(NamedTuple):
    """A request with every placeholder filled."""

    path: str
    headers: dict[str, str]
    body: bytes


class Unfilled(Exception):
    """A placeholder has no value; the message names it."""


def fill(smoke: Smoke, value_of: Callable[[str], str]) -> Sent:
    """Fill each part in its own way: a value cannot leave the place it stands in. Raises `Unfilled`."""

    def put(text: str, escaped: Callable[[str], str]) -> str:
        return PLACEHOLDER.sub(lambda found: escaped(value_of(found[1])), text)

    headers = {name: put(value, _one_line) for name, value in smoke.headers.items()}
    body = b""
    if smoke.json:
        body = put(smoke.json, lambda value: json.dumps(value)[1:-1]).encode()
        headers.setdefault("Content-Type", "application/json")
    elif smoke.form:
        body = urlencode({name: put(value, str) for name, value in smoke.form.items()}).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif smoke.body:
        body = put(smoke.body, str).encode()
    return Sent(put(smoke.path, lambda value: quote(value, safe="")), headers, body)


def _one_line(value: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "", value)


def found_at(source: str, heard: Heard, cookies: Mapping[str, str]) -> str | None:
    """What `source` (`json:user.id`, `header:Location`, `cookie:id`, `input:csrf`) names, None when it is not there."""
    kind, _, name = source.partition(":")
    match kind:
        case "header":
            return heard.header(name) or None
        case "cookie":
            return cookies.get(name)
        case "input":
            return _Inputs.value_of(name, heard.body.decode(errors="replace"))
        case _:
            value = place_in(read_json(heard.body), name)
            return None if value is _MISSING else value if isinstance(value, str) else json.dumps(value)


_MISSING = object()
_PART = re.compile(r"\[(\d{1,6})\]|([^.\[\]]+)")


def read_json(body: bytes) -> object:
    """The body as JSON; a value that has no places when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _MISSING


def is_missing(value: object) -> bool:
    return value is _MISSING


def place_in(value: object, place: str) -> object:
    """What stands at `items[0].id`; a value for which `is_missing` holds when nothing does."""
    for number, name in _PART.findall(place):
        if number and isinstance(value, list) and int(number) < len(value):
            value = value[int(number)]
        elif name and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return _MISSING
    return value


class _Inputs(HTMLParser):
    """The values of a page's form fields, by name; the first of a name counts. `meta` tags count likewise."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("input", "meta"):
            named = dict(attrs)
            name, value = named.get("name"), named.get("value" if tag == "input" else "content")
            if name and value is not None:
                self.found.setdefault(name, value)

    @classmethod
    def value_of(cls, name: str, page: str) -> str | None:
        reader = cls()
        reader.feed(page)
        return reader.found.get(name)
