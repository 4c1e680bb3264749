"""Asking a provider's API: verified TLS, no redirects, bounded retries, and nothing secret in what is said."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import ipaddress
import json
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from underway.terms.place import PlaceAddress
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.secret import Secret

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 20.0
_TRIES = 4
_LONGEST_WAIT_S = 120.0
_MOST_ANSWER_BYTES = 20_000_000
_SAID = 300

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Manners:
    """How patiently a provider is asked. `most_wait_s` bounds all waiting for one request together."""

    timeout_s: float = _TIMEOUT_S
    tries: int = _TRIES
    most_wait_s: float = _LONGEST_WAIT_S
    sleep: Sleep = asyncio.sleep


@dataclass(frozen=True)
class Answer:
    """Status and decoded JSON (None where there is no body)."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """One provider's API for one command. `headers` hold the token and are shown nowhere.

    Every method that fails raises `Failure`: `place.token` (401, 403), `place.limit` (429 for too long),
    `place.unreachable` (no connection, no answer in time, 5xx) or `place.refused` (any other answer).
    """

    def __init__(
        self,
        address: PlaceAddress,
        url: str,
        headers: Mapping[str, Secret],
        manners: Manners,
        *,
        ca_file: str = "",
        tls: ssl.SSLContext | None = None,
        plain_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._address = address
        self._url = require_safe(url, address).rstrip("/")
        self._headers = headers
        self._plain = {"Accept": "application/json", "User-Agent": "underway", **(plain_headers or {})}
        self._manners = manners
        self._ca_file = ca_file
        self._tls = tls
        self._client: httpx.AsyncClient | None = None
        self._hidden: set[Secret] = set()

    def hide(self, values: Iterable[Secret]) -> None:
        """From now on none of these is in what is said: a provider may quote in a refusal what it was sent."""
        self._hidden.update(value for value in values if len(value.reveal()) >= 3)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        may_repeat: bool = True,
        allowed: Sequence[int] = (),
    ) -> Answer:
        """Send a request and return the answer when it is 2xx or in `allowed`.

        `may_repeat` says that doing it twice is as doing it once; only then is it sent again after a time-out or a
        5xx. A 429 was not carried out, so it is always waited for.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        waited = 0.0
        for attempt in range(1, self._manners.tries + 1):
            is_last = attempt == self._manners.tries
            why, wait = "", _backoff_s(attempt)
            try:
                answer = await self._send(method, path, query, content, content_type)
            except _NoAnswer as error:
                why = str(error)
                if not may_repeat and not error.was_not_sent:
                    raise self._failure(
                        "place.unreachable", f"{why}; it may or may not have been done", _AGAIN
                    ) from None
            else:
                if 200 <= answer.status < 300 or answer.status in allowed:
                    return answer
                if _is_limit(answer):
                    why, wait = "it asks to be asked less often", _asked_wait_s(answer, wait)
                    is_last = is_last or waited + wait > self._manners.most_wait_s
                    if is_last:
                        raise self._failure("place.limit", f"{why}: again in {wait:.0f} s", _LATER)
                elif answer.status >= 500:
                    why = f"it answers {answer.status}{self._said(answer)}"
                    if not may_repeat:
                        raise self._failure("place.unreachable", f"{why}; it may or may not have been done", _AGAIN)
                else:
                    raise self._refused(answer)
            if is_last or waited + wait > self._manners.most_wait_s:
                raise self._failure("place.unreachable", f"{why}, {attempt} times", _AGAIN)
            await self._manners.sleep(wait)
            waited += wait
        raise AssertionError("unreachable")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, content: bytes, content_type: str
    ) -> Answer:
        import httpx

        if self._client is None:
            verify: Any = self._tls or True
            if self._ca_file:
                verify = ssl.create_default_context(cafile=self._ca_file)
            self._client = httpx.AsyncClient(verify=verify, follow_redirects=False, timeout=self._manners.timeout_s)
        headers = {**self._plain, **{name: value.reveal() for name, value in self._headers.items()}}
        if content:
            headers["Content-Type"] = content_type
        try:
            async with (
                asyncio.timeout(self._manners.timeout_s * 2),  # of the whole answer: a drip of bytes resets httpx's own
                self._client.stream(method, self._url + path, params=query, headers=headers, content=content) as reply,
            ):
                parts, size = [], 0
                async for part in reply.aiter_bytes():
                    size += len(part)
                    if size > _MOST_ANSWER_BYTES:
                        raise self._failure("place.refused", "its answer is larger than 20 MB", "check the address")
                    parts.append(part)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise _NoAnswer("it gave no answer in time", isinstance(error, httpx.ConnectTimeout)) from None
        except (ValueError, httpx.InvalidURL, httpx.LocalProtocolError):
            # a header cannot be written: the message would quote the token
            raise self._failure("place.token", "the token holds characters that no token has", self._renew()) from None
        except httpx.HTTPError as error:
            is_unsent = isinstance(error, httpx.ConnectError)
            raise _NoAnswer(
                f"no connection ({type(error).__name__})" if is_unsent else "the answer broke off", is_unsent
            ) from None
        text = b"".join(parts)
        body: Any = None
        if text:
            try:
                body = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                if reply.status_code < 300:
                    raise self._failure(
                        "place.refused", "its answer is not JSON", "check the address it is asked at"
                    ) from None
                body = text[:_SAID].decode("utf-8", "replace")
        return Answer(reply.status_code, body, {name.lower(): value for name, value in reply.headers.items()})

    def _refused(self, answer: Answer) -> Failure:
        said = self._said(answer)
        if answer.status in (401, 403):
            why = "the token is not valid or has expired" if answer.status == 401 else "the token may not do this"
            return self._failure("place.token", f"{why} ({answer.status}{said})", self._renew())
        if 300 <= answer.status < 400:
            why = f"it redirects elsewhere ({answer.status}), and a token is not sent on"
            return self._failure("place.refused", why, f"check {self._address.traits.url_setting}")
        if answer.status == 404:
            return self._failure("place.refused", f"it knows no such thing (404{said})", f"check {self._address.text}")
        return self._failure(
            "place.refused", f"it answers {answer.status}{said}", "mend what it names and run it again"
        )

    def refuse(self, why: str, remedy: str) -> Failure:
        """A refusal told inside an answer of status 200."""
        return self._failure("place.refused", self.scrubbed(why), remedy)

    def expired(self, why: str) -> Failure:
        """A fault of the token told inside an answer of status 200."""
        return self._failure("place.token", self.scrubbed(why), self._renew())

    def _renew(self) -> str:
        tokens = " or ".join(self._address.traits.tokens)
        return f"set {tokens} in the environment: {self._address.traits.renew}"

    def _said(self, answer: Answer) -> str:
        found = _message(answer.body)
        return f": {self.scrubbed(found)}" if found else ""

    def scrubbed(self, text: str) -> str:
        """`text` on one line, without the token and without any value that was sent or read."""
        for secret in sorted((*self._headers.values(), *self._hidden), key=lambda each: -len(each.reveal())):
            for word in _forms(secret.reveal()):
                text = text.replace(word, "•••")
        return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)[:_SAID]

    def _failure(self, code: str, why: str, remedy: str) -> Failure:
        return Failure(Problem(code=code, where=self._address.says, why=why, remedy=remedy))


_AGAIN = "run it again: what was done already is not done twice"
_LATER = "wait as long as it asks and run it again; what was set stays set"


class _NoAnswer(Exception):
    def __init__(self, why: str, was_not_sent: bool) -> None:
        self.was_not_sent = was_not_sent
        super().__init__(why)


def require_safe(url: str, address: PlaceAddress) -> str:
    """`url` when a token may be sent there: https, or http to this machine itself; no user, query or odd address.

    Raises `Refusal` (`place.url`).
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    why = ""
    if not host or parts.query or parts.fragment or parts.username is not None or port == 0:
        why = "it is not a plain address: https://HOST/PATH"
    elif parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        why = "a token is sent over https only (http is for this machine's own addresses)"
    elif _is_odd(host):
        why = "that address belongs to no provider (link-local, multicast or unspecified)"
    if why:
        setting = address.traits.url_setting
        raise Refusal(
            [
                Problem(
                    code="place.url", where=f"{setting} for {address.says}", why=why, remedy=f"mend or unset {setting}"
                )
            ]
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_odd(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return bool(re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host)) or host == "metadata.google.internal"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    return found.is_link_local or found.is_multicast or found.is_unspecified


def segment(text: str) -> str:
    """One part of a path, quoted so that it cannot become several."""
    return quote(text, safe="")


def _forms(value: str) -> list[str]:
    """How a value may come back: as it is, in JSON, in a URL, in base 64, or a token without its scheme."""
    forms = {value, json.dumps(value)[1:-1], quote(value, safe=""), value.partition(" ")[2]}
    forms.add(base64.b64encode(value.encode(errors="surrogateescape")).decode())
    return sorted((form for form in forms if len(form) >= 3), key=len, reverse=True)


def _backoff_s(attempt: int) -> float:
    return float(min(8.0, 0.5 * 2 ** (attempt - 1)) * (0.5 + random.random() / 2))


def _is_limit(answer: Answer) -> bool:
    """429; and GitHub's 403 of a rate limit (docs.github.com, REST: exceeding the rate limit)."""
    return answer.status == 429 or (
        answer.status == 403 and ("retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0")
    )


def _asked_wait_s(answer: Answer, otherwise: float) -> float:
    """What `Retry-After` (RFC 9110, 10.2.3) or a reset header asks for, in seconds."""
    asked = answer.headers.get("retry-after", "")
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
        except ValueError:
            pass
    for name in ("ratelimit-reset", "x-ratelimit-reset"):
        text = answer.headers.get(name, "")
        if text.isdigit():
            reset = float(text)
            return max(0.0, reset - time.time()) if reset > 1_000_000_000 else reset  # a moment, or seconds from now
    return otherwise


def _message(body: object) -> str:
    """What a provider says went wrong, in the forms that they use."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (_message(each) for each in body[:3])))
    if isinstance(body, dict):
        for key in ("message", "error", "messages", "errors", "detail", "status"):
            if body.get(key):
                return _message(body[key])
    return ""
