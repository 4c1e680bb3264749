from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from underway.manifest.monitor import ChannelKeys
from underway.terms.alert import Alert
from underway.terms.secret import Secret


class Channels(Protocol):
    """Tells people of alerts."""

    async def send(
        self, message: str, what: str, alerts: Sequence[Alert], channel: ChannelKeys, values: Mapping[str, Secret]
    ) -> None:
        """Send one message of these alerts (`what` is raised | cleared). `message` names it: a channel that knows such
        names drops one that comes twice. `values` fill `${NAME}` of the channel's address and key.

        Raises `Failure` (`channel.refused`, `channel.unreachable`, `channel.private`, `channel.no-value`) without
        any secret in it; it may be sent again then."""
        ...

    async def post(self, message: str, url: str, secret: Secret, body: bytes, *, may_be_private: bool = False) -> None:
        """Send `body`, JSON, to an address that a stranger named, signed with `secret` under the name `message`.

        Raises `Failure` like `send`."""
        ...
