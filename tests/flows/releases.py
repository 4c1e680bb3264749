"""A live release in a journal, for tests of what happens to one."""

from __future__ import annotations

import msgspec

from underway.journal.events.acts import ActKind, ActStarted, Finished, Planned
from underway.journal.events.releases import ReleaseMade, SlotTaken, TrafficSwitched
from underway.journal.journal import Journal
from underway.terms.outcome import Outcome
from underway.terms.release import Release, Slot, Source
from underway.terms.route import LogOffset


def live_release(journal: Journal, app: str, manifest: str, release: str = "r1") -> None:
    """Record that `release` was deployed with `manifest` and is live."""
    source = Source(path="/r", digest="0" * 64)
    made = Release(id=release, app=app, created_at=1.0, source=source, build_key="k")
    kind, act = ActKind.DEPLOY, f"a-{release}"
    started = ActStarted(app=app, act=act, kind=kind, release=release, owner="1:2:3", log_offset=LogOffset(), path="/r")
    journal.record(
        started,
        Planned(app=app, act=act, digest="d", steps=(), plan=msgspec.Raw(b"{}")),
        ReleaseMade(app=app, act=act, release=made, manifest=manifest),
        SlotTaken(app=app, act=act, release=release, slot=Slot.A, ports=(8000,)),
        TrafficSwitched(app=app, act=act, release=release, slot=Slot.A),
        Finished(app=app, act=act, kind=kind, release=release, outcome=Outcome.LIVE),
    )
