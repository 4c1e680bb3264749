"""Pings of schedules from elsewhere: an address for each through the proxy, with a secret of its own in it."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from typing import Any

import msgspec

from underway.agent.agent import Agent
from underway.agent.ping_views import PingsAsk, PingsView
from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotRoute, SlotTarget

ROUTE = "underway-pings"
"""The name of this route; no app can have it."""
PREFIX = "/ping/"
_NAME, _KEY = "pings-host", "pings-key"
_log = logging.getLogger(__name__)


class Pings:
    """One per agent. Nobody can guess an address: 128 bits of it are made from a secret of the home."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._key = b""

    def exposed(self) -> PingsView:
        """Where pings are answered; `host` is empty for nowhere."""
        text = self._agent.on.snapshots.load("", _NAME)
        try:
            return msgspec.json.decode(text, type=PingsView) if text is not None else PingsView()
        except msgspec.DecodeError:
            return PingsView()

    async def route(self, ask: PingsAsk, port: int) -> PingsView:
        """Answer under `ask.host`, by the listener on `port`. Raises `Refusal` (`proxy.route`, `proxy.host-taken`)."""
        on = self._agent.on
        if not ask.host:
            await on.routes.remove(ROUTE)
            on.snapshots.drop("", _NAME)
            self.tell_addresses()
            return PingsView()
        own = f"{ROUTE}.localhost"
        on.router.set_target(ROUTE, Slot.A, SlotTarget(release="pings"))
        on.router.set_share(ROUTE, 0.0)
        await on.router.start()
        await on.routes.put(
            AppRoute(
                app=ROUTE,
                hosts=(own,) if ask.host == own else (own, ask.host),
                slots=(SlotRoute(slot=Slot.A, ports=(port,)), SlotRoute(slot=Slot.B)),
                tls=ask.tls,
                body_limit_bytes=64 * 1024,
            )
        )
        is_plain = ask.tls == "off" or ask.host.endswith(".localhost")
        public = on.home.http_port if is_plain else on.home.https_port
        address = f"{'http' if is_plain else 'https'}://{ask.host}" + ("" if public in (80, 443) else f":{public}")
        view = PingsView(host=ask.host, address=address, tls=ask.tls)
        on.snapshots.save("", _NAME, msgspec.json.encode(view))
        self.tell_addresses()
        return view

    def tell_addresses(self) -> None:
        """From now on monitors show where their schedules ping."""
        address = self.exposed().address
        self._agent.keeping.monitoring.ping_url_of = (
            (lambda app, name: f"{address}{PREFIX}{self._token(app, name)}") if address else None
        )

    async def answer(self, scope: Any, send: Any) -> None:
        """200 for a ping that was heard, 404 for anything else; the same words for all that is wrong."""
        wanted = str(scope["path"]).removeprefix(PREFIX)
        is_heard = bool(self.exposed().host) and scope["method"] in ("GET", "HEAD", "POST") and self._heard(wanted)
        body = b"heard\n" if is_heard else b"there is no such schedule\n"
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 200 if is_heard else 404, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _heard(self, wanted: str) -> bool:
        monitoring = self._agent.keeping.monitoring
        for app, name in monitoring.ping_names():
            if hmac.compare_digest(self._token(app, name).encode(), wanted[:100].encode(errors="replace")):
                return monitoring.heard(app, name)
        return False

    def _token(self, app: str, name: str) -> str:
        if not self._key:
            snapshots = self._agent.on.snapshots
            kept = snapshots.load("", _KEY)
            if kept is None or len(kept) != 64:
                kept = secrets.token_hex(32).encode()
                snapshots.save("", _KEY, kept)
            self._key = kept
        return hashlib.blake2b(f"{app}\0{name}".encode(), digest_size=16, key=self._key).hexdigest()
