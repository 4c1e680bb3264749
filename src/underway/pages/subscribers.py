"""Programs that are told of incidents: a webhook each, which has to prove that it wants to be.

Anybody may ask, so nothing is sent that somebody else could be attacked with: one message to an address that was not
asked for within the hour, never into a private network, no redirect followed; and only its receiver can confirm it, by
the token in that message.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from underway.access.throttle import Throttle
from underway.agent.agent import Agent
from underway.terms.incident import Incident
from underway.terms.problem import Failure
from underway.terms.secret import Secret

PREFIX = "/subscriptions"
MOST, MOST_WAITING = 500, 100
CONFIRM_WITHIN_S = 3_600.0
GIVE_UP_AFTER_S = 86_400.0
"""A subscriber that took nothing for so long is let go."""
AT_ONCE = 10
MOST_BODY_BYTES = 4_096
_NAME = "subscribers"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 1_800.0
_log = logging.getLogger(__name__)


class Subscriber(msgspec.Struct, kw_only=True):
    """`secret` signs what it is told; `token` is known to the receiver alone. `told_at`: updates up to then were taken;
    `failing_since` is 0 while they are."""

    id: str
    url: str
    secret: str
    token: str
    asked_at: float
    is_confirmed: bool = False
    told_at: float = 0.0
    failing_since: float = 0.0
    next_at: float = 0.0


class Subscribers:
    """Of the published status page; kept in one private file of the home."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._throttle = Throttle()
        self._kept: dict[str, Subscriber] | None = None
        self._is_telling = asyncio.Lock()

    def all(self) -> dict[str, Subscriber]:
        if self._kept is None:
            try:
                text = self._agent.on.snapshots.load("", _NAME) or b"{}"
                self._kept = msgspec.json.decode(text, type=dict[str, Subscriber])
            except msgspec.DecodeError:
                _log.error("the file of subscribers is damaged; there are none now")
                self._kept = {}
        return self._kept

    def forget(self) -> None:
        """The page is not published any more."""
        self._kept = {}
        self._agent.on.snapshots.drop("", _NAME)

    async def answer(self, scope: Any, receive: Any, send: Any, title: str, address: str, *, is_private: bool) -> None:
        """Take a subscription, its confirmation, or its end."""
        status, says = 404, "there is nothing here"
        if scope["path"] in (PREFIX, f"{PREFIX}/confirm", f"{PREFIX}/end") and scope["method"] == "POST":
            fields = await _fields(scope, receive)
            if scope["path"] == PREFIX:
                client = _client(scope)
                status, says = await self._subscribe(
                    fields.get("url", ""), client, title, address, is_private=is_private
                )
            else:
                status, says = self._settle(fields, is_end=scope["path"].endswith("/end"))
        body = f"{says}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        headers += [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def tell(self, title: str, incidents: Iterable[Incident], *, is_private: bool) -> None:
        """Send every subscriber what it was not told yet, oldest first; each message under a name of its own, so that
        one that comes twice is known."""
        async with self._is_telling:
            known = list(incidents)
            slots = asyncio.Semaphore(AT_ONCE)

            async def told(one: Subscriber) -> None:
                async with slots:
                    await self._tell(one, title, known, is_private=is_private)

            due = [it for it in self.all().values() if it.is_confirmed and it.next_at <= self._now]
            try:
                await asyncio.gather(*(told(each) for each in due))
            except Exception:
                _log.exception("subscribers could not be told")
            self._drop_late()

    @property
    def _now(self) -> float:
        return self._agent.on.clock.now()

    async def _subscribe(self, url: str, client: str, title: str, address: str, *, is_private: bool) -> tuple[int, str]:
        now = self._now
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 1_000
        except ValueError:
            is_address = False
        if not is_address or any(character <= " " for character in url):
            return 400, "this is no address of the web"
        keys = (f"client {client}", f"host {parts.hostname}")
        if any(self._throttle.wait_s(key, now) for key in keys):
            return 429, "there were too many of these; try again later"
        for key in keys:
            self._throttle.note_wrong(key, now)
        self._drop_late()
        same = next((it for it in self.all().values() if it.url == url), None)
        waiting = sum(not it.is_confirmed for it in self.all().values())
        if same is not None:  # the same words as for a new one: nobody learns who has subscribed
            return 202, _ASKED
        if len(self.all()) >= MOST or waiting >= MOST_WAITING:
            return 503, "there are too many subscribers"
        one = Subscriber(
            id=secrets.token_hex(8),
            url=url,
            secret=f"whsec_{_base64(secrets.token_bytes(24))}",
            token=secrets.token_urlsafe(24),
            asked_at=now,
        )
        said = {
            "type": "subscription.asked",
            "page": title,
            "id": one.id,
            "token": one.token,
            "secret": one.secret,
            "confirm": f"{address}{PREFIX}/confirm",
            "end": f"{address}{PREFIX}/end",
            "says": "Send id and token to confirm, and you are told of incidents. Do nothing, and you hear no more.",
        }
        self.all()[one.id] = one
        self._write()
        try:
            await self._post(one, f"{one.id}-asked", said, is_private=is_private)
        except Failure as failure:
            if failure.problem.code == "channel.private":
                del self.all()[one.id]
                self._write()
                return 400, "this address leads to a private network"
        return 202, _ASKED

    def _settle(self, fields: dict[str, str], *, is_end: bool) -> tuple[int, str]:
        one = self.all().get(fields.get("id", ""))
        token = fields.get("token", "").encode(errors="replace")
        if one is None or not hmac.compare_digest(one.token.encode(), token):
            return 403, "id and token do not belong together"
        if is_end:
            del self.all()[one.id]
        elif not one.is_confirmed:
            one.is_confirmed, one.told_at = True, self._now
        self._write()
        return 200, "it has ended" if is_end else "it is confirmed"

    async def _tell(self, one: Subscriber, title: str, incidents: list[Incident], *, is_private: bool) -> None:
        news = sorted(
            (
                (update.at, number, incident)
                for incident in incidents
                for number, update in enumerate(incident.updates)
                if update.at > one.told_at
            ),
            key=lambda it: (it[0], it[1]),
        )
        for at, number, incident in news:
            update = incident.updates[number]
            said = {
                "type": "incident.resolved" if update.stage.value == "resolved" else "incident.told",
                "page": title,
                "incident": incident.id,
                "component": incident.app,
                "title": incident.title,
                "impact": incident.impact,
                "stage": update.stage,
                "text": update.text,
                "at": at,
            }
            try:
                await self._post(one, f"{one.id}-{incident.id}-{number}", said, is_private=is_private)
            except Failure:
                one.failing_since = one.failing_since or self._now
                failing_s = self._now - one.failing_since
                one.next_at = self._now + min(max(_FIRST_PAUSE_S, failing_s), _LONGEST_PAUSE_S)
                if failing_s > GIVE_UP_AFTER_S:
                    self.all().pop(one.id, None)
                self._write()
                return
            one.told_at, one.failing_since, one.next_at = at, 0.0, 0.0
            self._write()

    async def _post(self, one: Subscriber, message: str, said: object, *, is_private: bool) -> None:
        body = msgspec.json.encode(said)
        await self._agent.on.channels.post(message, one.url, Secret(one.secret), body, may_be_private=is_private)

    def _drop_late(self) -> None:
        late = [
            it.id for it in self.all().values() if not it.is_confirmed and self._now - it.asked_at > CONFIRM_WITHIN_S
        ]
        for each in late:
            del self.all()[each]
        if late:
            self._write()

    def _write(self) -> None:
        self._agent.on.snapshots.save("", _NAME, msgspec.json.encode(self.all()))


_ASKED = "a message was sent there; whoever reads it can confirm within an hour"


async def _fields(scope: Any, receive: Any) -> dict[str, str]:
    """The texts of a form or of a JSON object, at most four kilobytes."""
    text, is_more = b"", True
    while is_more and len(text) <= MOST_BODY_BYTES:
        part = await receive()
        text += part.get("body", b"")
        is_more = part.get("more_body", False) and part["type"] == "http.request"
    if len(text) > MOST_BODY_BYTES:
        return {}
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip()
    try:
        if kind == b"application/json":
            found = msgspec.json.decode(text, type=dict[str, Any])
            return {name: value for name, value in found.items() if isinstance(value, str)}
        return dict(parse_qsl(text.decode(), max_num_fields=10))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return {}


def _client(scope: Any) -> str:
    """Who asks: the proxy says it, and leaves out what they say."""
    told = dict(scope["headers"]).get(b"x-forwarded-for", b"").rpartition(b",")[2].strip()
    return str(told[:60].decode(errors="replace")) or "unknown"


def _base64(raw: bytes) -> str:
    import base64

    return base64.b64encode(raw).decode()
