"""How an app is, in the words of `application/health+json` (draft-inadarei-api-health-check-06)."""

from __future__ import annotations

from enum import Enum

import msgspec


class Health(Enum):
    """`warn` is well enough for visitors, and worth a look."""

    WELL = "pass"
    WARN = "warn"
    FAIL = "fail"


class Component(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing the app needs. `output` says why it is not well."""

    status: Health
    component_type: str
    time: str = ""
    observed_value: float | None = None
    observed_unit: str = ""
    output: str = ""


class AppHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An app as the agent knows it. `version` is its source in words; `checks` only where everything was asked for."""

    status: Health
    version: str
    release_id: str
    output: str = ""
    checks: dict[str, tuple[Component, ...]] = {}

    @property
    def is_well(self) -> bool:
        return self.status is not Health.FAIL
