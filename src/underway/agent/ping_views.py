"""What the API takes and gives of pings from elsewhere."""

from __future__ import annotations

from typing import Literal

import msgspec


class PingsAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer the pings of schedules under `host`, through the proxy (empty: on this machine alone)."""

    by: str
    host: str = ""
    tls: Literal["off", "auto", "internal"] = "auto"


class PingsView(msgspec.Struct, frozen=True, kw_only=True):
    """Where pings are answered; `host` is empty for this machine alone."""

    host: str = ""
    address: str = ""
    tls: Literal["off", "auto", "internal"] = "auto"
