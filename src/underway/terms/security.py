"""What looks like somebody trying to get in."""

from __future__ import annotations

from enum import Enum

import msgspec


class SecurityKind(Enum):
    LOG_INS = "log-ins"
    """An app refused the same client's log-ins again and again."""
    SCAN = "scan"
    """Somebody asked for what nobody who means well asks for: `.env`, `.git`, `wp-login.php`."""
    HOST = "host"
    """Requests that name a host no app has."""
    OWN = "own"
    """Underway itself refused a log-in, a code or a token."""


class SecurityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What one client did, until it stopped for ten minutes. `client` is its address (of IPv6 the network, /64), `app`
    empty where it is no app's. `answered` counts requests that got what they asked for (a status below 400), `samples`
    are the first different things that it asked for, `agent` what it called itself."""

    id: str
    kind: SecurityKind
    app: str
    client: str
    first_at: float
    last_at: float
    times: int
    answered: int = 0
    samples: tuple[str, ...] = ()
    agent: str = ""

    def says(self) -> str:
        """In words: what was tried."""
        what = {
            SecurityKind.LOG_INS: "log-ins were refused",
            SecurityKind.SCAN: "requests looked for files that are nobody's business",
            SecurityKind.HOST: "requests named a host that no app has",
            SecurityKind.OWN: "log-ins, codes or tokens were refused by Underway",
        }[self.kind]
        found = f"; {self.answered:,} of them were answered" if self.answered else ""
        return f"{self.times:,} {what}{found}"
