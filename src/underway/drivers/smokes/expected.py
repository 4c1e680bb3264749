"""What a request expects, in words, and what is wrong with an answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable

from underway.drivers.loopback_http import Heard
from underway.drivers.smokes.filling import is_missing, place_in, read_json
from underway.manifest.smoke import Expect
from underway.steps.check_health import accepts

Mask = Callable[[str], str]
_SHOWN = 80


def in_words(expect: Expect) -> str:
    """`status 200, the text "Welcome", user.id`."""
    parts = [f"status {expect.status}"]
    parts += [f"the text {_quoted(text)}" for text in expect.text]
    parts += [f"no text {_quoted(text)}" for text in expect.lacks]
    parts += [f"{place} = {_cut(value)}" for place, value in expect.json.items()]
    parts += list(expect.has)
    parts += [f"{name}: {_cut(value)}" for name, value in expect.headers.items()]
    return ", ".join(parts)


def unmet(expect: Expect, heard: Heard, mask: Mask) -> str:
    """The first thing that is not as expected, empty when all is. What came is masked before it is shortened."""
    if heard.error:
        return f"no answer: {heard.error}"
    if not accepts(expect.status, heard.status):
        sent_on = heard.header("location")
        on = f" (on to {_cut(mask(sent_on))})" if 300 <= heard.status < 400 and sent_on else ""
        return f"status {heard.status}{on}, not {expect.status}"
    for name, value in expect.headers.items():
        got = ", ".join(each for known, each in heard.headers if known == name.lower())
        if value not in got or not got:
            return f"the header {name} is {_quoted(mask(got))}" if got else f"there is no header {name}"
    text = heard.body.decode(errors="replace")
    for wanted in expect.text:
        if wanted not in text:
            return f"the text {_quoted(wanted)} is not in the body"
    for unwanted in expect.lacks:
        if unwanted in text:
            return f"the text {_quoted(unwanted)} is in the body"
    return _unmet_json(expect, heard.body, mask) if expect.json or expect.has else ""


def _unmet_json(expect: Expect, body: bytes, mask: Mask) -> str:
    whole = read_json(body)
    if is_missing(whole):
        return "the body is not JSON"
    for place, wanted in expect.json.items():
        got = place_in(whole, place)
        if is_missing(got):
            return f"there is no {place}"
        if not _is_same(got, json.loads(wanted)):
            return f"{place} is {_cut(mask(json.dumps(got, ensure_ascii=False)))}, not {_cut(wanted)}"
    return next((f"there is no {place}" for place in expect.has if is_missing(place_in(whole, place))), "")


def _is_same(got: object, wanted: object) -> bool:
    return isinstance(got, bool) == isinstance(wanted, bool) and got == wanted


def _quoted(text: str) -> str:
    return f'"{_cut(text)}"'


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
