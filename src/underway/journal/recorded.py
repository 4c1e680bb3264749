"""An event as the journal holds it, and its text."""

from __future__ import annotations

import msgspec

from underway.journal.events.acts import Weighed
from underway.journal.events.every_event import AnyEvent


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the journal holds it: its number (from 1, without gaps) and time (seconds since the epoch)."""

    seq: int
    at: float
    event: AnyEvent

    def flat(self) -> dict[str, object]:
        """The object that `--json` prints: the event's own fields with `seq` and `at`."""
        fields = msgspec.json.decode(_encoder.encode(self.event))
        fields.pop("plan", None)
        if isinstance(self.event, Weighed):
            fields["record"].pop("moments")
        return {"event": fields.pop("event"), "seq": self.seq, "at": round(self.at, 3), **fields}


_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()


def encode(event: AnyEvent) -> bytes:
    return _encoder.encode(event)


def decode(text: bytes) -> AnyEvent:
    """Raises `msgspec.ValidationError` for what is no event of ours."""
    return _decoder.decode(text)
