"""What every event has. Names of events are past tense: each says that something happened.

Events are the only record: state, history, status and reports are folds over them. The tag (`event`) and the
fields are stable; new fields come with defaults, so that an older journal can still be read.
"""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events share: the app, and the act (deploy, rollback …) they belong to, empty for none."""

    app: str
    act: str = ""
