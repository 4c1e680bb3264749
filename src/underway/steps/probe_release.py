from __future__ import annotations

import msgspec

from underway.journal.events.acts import ProbesMade
from underway.manifest.smoke import Journey, Smoke
from underway.ports.drivers import Drivers
from underway.ports.smokes import Dial
from underway.steps.environment import EnvAsk, probe_values
from underway.steps.step import Act, Did
from underway.terms.count import counted
from underway.terms.problem import Failure, Problem
from underway.terms.smoke import Walked

RELEASE_HEADER = "X-Underway-Release"
PROXY_BACK_S = 3.0
"""The proxy's keeper starts it again within milliseconds; on a busy machine it takes a second to answer."""


class Probing(msgspec.Struct, frozen=True, kw_only=True):
    """What a release is asked by Underway itself, and as whom. It names secrets and holds none."""

    release: str
    host: str
    env: EnvAsk
    smokes: tuple[Smoke, ...] = ()
    journeys: tuple[Journey, ...] = ()

    @property
    def counts(self) -> str:
        """`2 smoke requests and 1 journey`."""
        parts = [
            counted(count, word)
            for count, word in ((len(self.smokes), "smoke request"), (len(self.journeys), "journey"))
            if count
        ]
        return " and ".join(parts)


async def make_probes(probing: Probing, app: str, on: Drivers) -> tuple[Walked, ...]:
    """Every smoke and journey once, through the proxy as a user's request goes, to this release by its header."""
    at = Dial(port=on.home.http_port, host=probing.host, headers={RELEASE_HEADER: probing.release})
    values = probe_values(probing.env, app, on)
    made = [await on.smokes.ask(smoke, at, values) for smoke in probing.smokes]
    return (*made, *[await on.smokes.walk(journey, at, values) for journey in probing.journeys])


class ProbeRelease(msgspec.Struct, frozen=True, kw_only=True, tag="probe_release", tag_field="step"):
    """Make the smoke requests and journeys of the manifest against the new release, before any user reaches it."""

    probing: Probing

    id: str = "probe"
    is_one_way: bool = False

    def says(self) -> str:
        return f"try {self.probing.counts} on {self.probing.release}, before any user reaches it"

    def undo_says(self) -> str:
        return "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        deadline = on.clock.monotonic() + PROXY_BACK_S
        walked = await make_probes(self.probing, act.app, on)
        while any(_is_unanswered(each) for each in walked) and on.clock.monotonic() < deadline:
            await on.clock.sleep(0.05)
            walked = await make_probes(self.probing, act.app, on)
        if failed := next((each for each in walked if not each.passed), None):
            raise Failure(_problem(act.app, failed), _evidence(walked))
        requests = sum(len(each.asked) for each in walked)
        slowest = max((one.took_ms for each in walked for one in each.asked), default=0.0)
        made = ProbesMade(
            app=act.app, act=act.id, release=self.probing.release, passed=len(walked), slowest_ms=round(slowest, 1)
        )
        return Did((made,), f"{counted(requests, 'request')} as expected, slowest {slowest:.0f} ms")

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def _is_unanswered(walked: Walked) -> bool:
    """Nothing answered at all: a proxy that is just coming back."""
    failed = walked.failure
    return failed is not None and failed.status == 0 and "connection" in failed.came


def _problem(app: str, failed: Walked) -> Problem:
    is_journey = len(failed.asked) > 1 or failed.asked[0].name != failed.name
    return Problem(
        code="probe.failed",
        where=f"{'journey' if is_journey else 'smoke'} {failed.name}",
        why=f"{failed.says()}; no user reached the new release",
        remedy="mend the app, or the [[smoke]] or [[journey]] in underway.toml where it expects the wrong thing",
        command=f"underway logs {app} --process web",
    )


def _evidence(walked: tuple[Walked, ...]) -> list[str]:
    lines = []
    for each in walked:
        if failed := each.failure:
            lines += [f"{each.name}: expected {failed.expected}", f"  came: {failed.came}"]
            if failed.body_head:
                lines.append(f"  body: {failed.body_head}")
    return lines
