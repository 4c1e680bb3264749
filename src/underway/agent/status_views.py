"""What the API takes and gives of the status page."""

from __future__ import annotations

from typing import Literal

import msgspec

from underway.terms.incident import Impact, Incident, IncidentStage


class IncidentAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open an incident (`title`, `impact`), or tell more of the one with the id `incident` (`stage`); the stage
    `resolved` ends it. `text` is what visitors read, `by` names who writes."""

    by: str
    text: str = ""
    title: str = ""
    impact: Impact = Impact.DEGRADED
    incident: str = ""
    stage: IncidentStage = IncidentStage.INVESTIGATING


class StatusPageAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Publish the status page under `host` (empty: nowhere any more). `apps` empty: all of them."""

    by: str
    host: str = ""
    title: str = "Status"
    apps: tuple[str, ...] = ()
    tls: Literal["off", "auto", "internal"] = "auto"
    may_be_private: bool = False
    """Subscribers may be in private networks."""


class StatusPageView(msgspec.Struct, frozen=True, kw_only=True):
    """The status page as it is published; `host` is empty where it is not. `address` is where visitors find it,
    `subscribers` how many webhooks are told of incidents."""

    title: str = "Status"
    host: str = ""
    address: str = ""
    apps: tuple[str, ...] = ()
    tls: Literal["off", "auto", "internal"] = "auto"
    may_be_private: bool = False
    subscribers: int = 0


class ExportAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write the status page into `folder`, which is made where it is not there. `address` is where it will be found."""

    folder: str
    title: str = "Status"
    address: str = ""
    apps: tuple[str, ...] = ()


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    folder: str
    files: tuple[str, ...]


__all__ = ["ExportAsk", "Exported", "Incident", "IncidentAsk", "StatusPageAsk", "StatusPageView"]
