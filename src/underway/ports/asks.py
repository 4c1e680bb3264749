from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from underway.manifest.monitor import MonitorKeys
from underway.terms.monitor import Checked
from underway.terms.secret import Secret


class OwnAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A check of an app of this home through its proxy, as a visitor would make it. `certificate_port` is where its
    certificate is shown, 0 for none."""

    port: int
    host: str
    path: str
    status: str
    timeout_s: float = 5.0
    certificate_port: int = 0


class Asks(Protocol):
    """Asks monitors' targets. Never raises for what the other side does. Addresses in private networks and on this
    machine are refused unless the monitor allows them, after the name was resolved, and what was resolved is what is
    connected to. Redirects are not followed. No secret is in what comes back."""

    async def ask(self, monitor: MonitorKeys, values: Mapping[str, str | Secret]) -> Checked:
        """One check of any kind but `journey` and `ping`. `values` fill `${NAME}` in the target."""
        ...

    async def ask_own(self, ask: OwnAsk) -> Checked:
        """One check of an app through the proxy."""
        ...

    async def is_offline(self, references: tuple[str, ...]) -> bool:
        """True when none of the references (`HOST:PORT`) can be connected to. An empty tuple says nothing: False."""
        ...
