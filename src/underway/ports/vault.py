from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from underway.terms.secret import Secret


class Vault(Protocol):
    """Keeps an app's secret values, 0600, written atomically."""

    def values(self, app: str) -> Mapping[str, Secret]: ...

    def ensure(self, app: str, name: str, kind: str) -> Secret:
        """The value of `name`, generated (`hex`, `urlsafe`, `django`, `password`) when there is none yet."""
        ...

    def put(self, app: str, name: str, value: Secret) -> None:
        """Keep `value` under `name`, in place of what was there."""
        ...

    def drop(self, app: str) -> None: ...
