"""Making smoke requests and journeys over HTTP/1.1 on 127.0.0.1."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, quote_plus

from underway.drivers.loopback_http import Heard, exchange
from underway.drivers.process_log import clean
from underway.drivers.smokes.expected import in_words, unmet
from underway.drivers.smokes.filling import Unfilled, fill, found_at
from underway.manifest.probe_words import UNIQUE
from underway.manifest.smoke import Journey, Smoke
from underway.ports.smokes import Dial
from underway.terms.secret import Secret
from underway.terms.smoke import Asked, Walked

MAX_BODY_BYTES = 1 << 20
MAX_SHOWN_CHARS = 300
MAX_COOKIES = 100
_LEAST_MASKED = 4
"""Shorter values cannot be secrets, and masking them would shred the text."""


class LoopbackSmokes:
    """`Smokes` over one connection per request."""

    async def ask(self, smoke: Smoke, at: Dial, values: Mapping[str, str | Secret]) -> Walked:
        """See the port."""
        return Walked(name=smoke.title, asked=(await _Visitor(at, values).ask(smoke),))

    async def walk(self, journey: Journey, at: Dial, values: Mapping[str, str | Secret]) -> Walked:
        """See the port."""
        visitor = _Visitor(at, values)
        asked: list[Asked] = []
        for step in journey.steps:
            asked.append(await visitor.ask(step))
            if not asked[-1].passed:
                break
        return Walked(name=journey.name, asked=tuple(asked))


class _Visitor:
    """One visitor: its cookies, and what it kept."""

    def __init__(self, at: Dial, values: Mapping[str, str | Secret]) -> None:
        self._at = at
        self._values = values
        self._cookies: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._hidden: set[str] = set()
        for value in values.values():
            if isinstance(value, Secret):
                self._hide(value.reveal())
        self._unique = secrets.token_hex(6)

    async def ask(self, smoke: Smoke) -> Asked:
        try:
            sent = fill(smoke, self._value_of)
        except Unfilled as unfilled:
            return self._told(smoke, Heard(), f"not asked: {unfilled}")
        cookies = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())} if self._cookies else {}
        heard = await exchange(
            self._at.port,
            sent.path,
            host=self._at.host,
            timeout_s=smoke.timeout_s,
            most_bytes=MAX_BODY_BYTES,
            method=smoke.method,
            headers={**cookies, **sent.headers, **self._at.headers},
            body=sent.body,
        )
        self._take_cookies(heard)
        return self._told(smoke, heard, unmet(smoke.expect, heard, self._masked) or self._keep(smoke, heard))

    def _value_of(self, name: str) -> str:
        if name == UNIQUE:
            return self._unique
        if name in self._kept:
            return self._kept[name]
        value = self._values.get(name.removeprefix("env."))
        if value is None or not name.startswith("env."):
            raise Unfilled(f"${{{name}}} has no value")
        return value.reveal() if isinstance(value, Secret) else value

    def _keep(self, smoke: Smoke, heard: Heard) -> str:
        """Keep what later steps need; what is wrong when it is not there."""
        for name, source in smoke.keep.items():
            value = found_at(source, heard, self._cookies)
            if value is None:
                return f"there is no {source.replace(':', ' ', 1)} to keep as {name}"
            self._kept[name] = value
            self._hide(value)
        return ""

    def _take_cookies(self, heard: Heard) -> None:
        for name, value in heard.headers:
            if name != "set-cookie":
                continue
            try:
                read = SimpleCookie(value)
            except CookieError:
                continue
            for cookie, morsel in read.items():
                self._cookies.pop(cookie, None)
                self._hide(morsel.value)
                if morsel["max-age"] != "0" and morsel.coded_value and len(self._cookies) < MAX_COOKIES:
                    self._cookies[cookie] = morsel.coded_value

    def _hide(self, value: str) -> None:
        if len(value) >= _LEAST_MASKED:
            self._hidden.add(value)

    def _masked(self, text: str) -> str:
        forms = {each for value in self._hidden for each in (value, quote(value), quote_plus(value), _in_json(value))}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "•••")
        return text

    def _told(self, smoke: Smoke, heard: Heard, came: str) -> Asked:
        body = self._masked(heard.body[: 64 * 1024].decode(errors="replace"))
        return Asked(
            name=smoke.title,
            method=smoke.method,
            path=smoke.path,
            status=0 if heard.error else heard.status,
            took_ms=round(heard.took_ms, 3),
            expected=in_words(smoke.expect),
            came=clean(self._masked(came)),
            body_head=" ".join(clean(line) for line in body[: 4 * MAX_SHOWN_CHARS].split())[:MAX_SHOWN_CHARS],
        )


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]
