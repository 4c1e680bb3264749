from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from underway.terms.environment import OWN, Kept
from underway.terms.secret import Secret


@dataclass(frozen=True)
class VaultChange:
    """What to change in one layer, all of it or nothing. `put` goes before `remove`."""

    put: Mapping[str, Kept] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


class Vault(Protocol):
    """Keeps an app's values in layers, encrypted, each layer replaced whole.

    Many processes may change one layer at the same time: none of their changes is lost, and a crash leaves the
    former layer or the new one. Every method raises `Failure` (`vault.unreadable`, `vault.unwritable`).
    """

    def values(self, app: str, layer: str = OWN) -> Mapping[str, Secret]:
        """Name → value of one layer; empty for one that was never written."""
        ...

    def kept(self, app: str, layer: str) -> Mapping[str, Kept]:
        """The same with what is known of each value."""
        ...

    def layers(self, app: str) -> tuple[str, ...]:
        """The layers that hold something, Underway's own left out, sorted."""
        ...

    def ensure(self, app: str, name: str, kind: str) -> Secret:
        """The own value of `name`, generated (`kind` is one of `manifest.env_words.GENERATE` or `password`) when there
        is none yet; the same for everybody who asks at that moment."""
        ...

    def put(self, app: str, name: str, value: Secret) -> None:
        """Keep an own `value` under `name`, in place of what was there."""
        ...

    def change(self, app: str, layer: str, change: VaultChange) -> None:
        """Change a layer in one step."""
        ...

    def generated(self, kind: str) -> Secret:
        """A new value of this kind, kept nowhere."""
        ...

    def public_half(self, app: str, name: str) -> str:
        """The public key, as PEM, of the own generated key pair `name`. Raises `KeyError` when there is none yet."""
        ...

    def file_kept(self, content: str, where: str) -> Mapping[str, Kept]:
        """The values of a vault file that a repository holds."""
        ...

    def change_file(self, path: str, recipients: str, change: VaultChange) -> None:
        """Change a vault file of a repository in one step, or make it; `recipients` is the text of the file that
        names who may open it, this home always may. Raises also `Failure` (`vault.recipient`)."""
        ...

    def recipient(self) -> str:
        """This home's public key (`age1…`): who closes a file for it lets this home read it."""
        ...

    def hand_over(self, values: Mapping[str, str]) -> str:
        """Values in a file of one reader: 0400 in a 0700 folder, as JSON. Whoever reads it removes it; what nobody
        fetched within a minute is removed with the next one. Returns its path."""
        ...

    def drop(self, app: str) -> None:
        """Forget everything of the app."""
        ...

    def key(self) -> bytes:
        """32 bytes of this home's own, for `terms.environment.fingerprint`. Never leaves the machine."""
        ...
