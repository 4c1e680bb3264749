"""Let a release that gets no more traffic end what it has."""

from __future__ import annotations

from underway.journal.journal import Journal
from underway.manifest.release import ReleaseKeys
from underway.plan.deploy import live_manifest
from underway.ports.drivers import Drivers
from underway.steps.start_release import drain
from underway.terms.problem import Failure
from underway.terms.release import Slot


async def let_end(app: str, slot: Slot, on: Drivers, journal: Journal) -> None:
    """Wait until the release on `slot` has no request left, at most for the drain of the live release's manifest.

    Nothing holds the app meanwhile: a deploy, or a rollback to this very release, does not wait for a stream to end.
    """
    live = live_manifest(journal.state(app))
    try:
        await drain(app, slot, live.release.drain_s if live else ReleaseKeys().drain_s, on)
    except Failure:  # the proxy does not answer: the act that stops the release says so
        return
