from __future__ import annotations

import msgspec

from underway.journal.events.releases import TrafficSwitched
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did
from underway.terms.problem import Failure, Problem
from underway.terms.release import Slot


class SwitchTraffic(msgspec.Struct, frozen=True, kw_only=True, tag="switch_traffic", tag_field="step"):
    """Let the release on `slot` answer every request from now on. One atomic file write; the proxy is not reloaded."""

    release: str
    slot: Slot
    was: str = ""
    was_slot: Slot | None = None
    keep_warm_s: float = 0.0

    id: str = "switch"
    is_one_way: bool = False

    def says(self) -> str:
        return f"switch traffic from {self.was} to {self.release}" if self.was else f"send traffic to {self.release}"

    def undo_says(self) -> str:
        return f"switch back to {self.was}" if self.was else "the route is taken out"

    async def apply(self, act: Act, on: Drivers) -> Did:
        on.router.set_share(act.app, _share(self.slot))
        on.router.set_candidate(act.app, None)
        switched = TrafficSwitched(
            app=act.app,
            act=act.id,
            release=self.release,
            slot=self.slot,
            was=self.was,
            was_slot=self.was_slot,
            keep_warm_s=self.keep_warm_s,
        )
        return Did((switched,))

    async def verify(self, act: Act, on: Drivers) -> None:
        if on.router.share_of_b(act.app) != _share(self.slot):
            raise Failure(
                Problem(
                    code="switch.not-seen",
                    where=str(on.home.route(act.app)),
                    why="the share that was written is not what is read back",
                    remedy="something else writes into this home; end it",
                )
            )

    async def undo(self, act: Act, on: Drivers) -> Did:
        if not self.was or self.was_slot is None:
            return Did((TrafficSwitched(app=act.app, act=act.id, release="", slot=self.slot, was=self.release),))
        on.router.set_share(act.app, _share(self.was_slot))
        return Did(
            (
                TrafficSwitched(
                    app=act.app,
                    act=act.id,
                    release=self.was,
                    slot=self.was_slot,
                    was=self.release,
                    was_slot=self.slot,
                ),
            )
        )


def _share(slot: Slot) -> float:
    return 1.0 if slot is Slot.B else 0.0
