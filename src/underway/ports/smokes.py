from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from underway.manifest.smoke import Journey, Smoke
from underway.terms.secret import Secret
from underway.terms.smoke import Walked


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask: a loopback port (an instance's, or the proxy's), the Host header, and headers added to every
    request (the release header, for one)."""

    port: int
    host: str
    headers: Mapping[str, str] = {}


class Smokes(Protocol):
    """Makes the requests of `[[smoke]]` and `[[journey]]` over HTTP on loopback. Never raises for what the other side
    does: what went wrong is in the result.

    `values` fill `${env.NAME}` by NAME; every `Secret` among them, cookies, and what a step keeps is masked in
    the result. Every request carries `X-Underway-Probe`, so that it is counted apart from users' requests.
    """

    async def ask(self, smoke: Smoke, at: Dial, values: Mapping[str, str | Secret]) -> Walked:
        """One request on its own."""
        ...

    async def walk(self, journey: Journey, at: Dial, values: Mapping[str, str | Secret]) -> Walked:
        """Its requests in order, with one jar of cookies; it ends at the first that fails."""
        ...
